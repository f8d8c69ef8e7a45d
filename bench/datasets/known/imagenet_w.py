"""ImageNet-W: the validation images under a watermark of Chinese characters, made as they are read."""

import functools
import importlib.util
import os
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from bench.datasets.base import Dataset, View
from bench.datasets.content import Loaded, content_hash
from bench.datasets.info import RESEARCH, SetInfo, SetPlace
from bench.datasets.known.imagenet import open_imagenet
from bench.datasets.preprocess import crop_224
from bench.errors import DataError, UsageError

TEXT, SIZE, OPACITY, LEFT, TOP = "捷径捷径捷径", 36, 0.5, 0.01, 0.4
"""Text, font size at 224 px, opacity, and place as shares of width and height (facebookresearch/Whac-A-Mole,
imagenet_w/watermark_transform.py)."""

FONT = "BENCH_WATERMARK_FONT"
"""Environment variable: the file of SourceHanSerifSC-ExtraLight.otf, where the package imagenet_w is not installed."""

PLAIN = "plain"
"""The part that holds the same crops without the watermark."""


def watermark(image: Image.Image) -> Image.Image:
    """Draw the watermark over a 224 px image. Raises `DataError` where its font is not here."""
    over = Image.new("RGBA", image.size, (255, 255, 255, 0))
    fill = (255, 255, 255, round(OPACITY * 255))
    ImageDraw.Draw(over).text((LEFT * image.width, TOP * image.height), TEXT, fill=fill, font=_font())
    return Image.alpha_composite(image.convert("RGBA"), over).convert("RGB")


@functools.lru_cache(4)
def _loaded(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, SIZE)


def _font() -> ImageFont.FreeTypeFont:
    spec = importlib.util.find_spec("imagenet_w")
    inside = Path(spec.origin).parent / "fonts" / "SourceHanSerifSC-ExtraLight.otf" if spec and spec.origin else None
    path = os.environ.get(FONT) or (str(inside) if inside else "")
    try:
        return _loaded(path)
    except OSError:
        raise DataError(
            f"imagenet-w: its font is not here ({path or 'no file named'}); pip install "
            f"git+https://github.com/facebookresearch/Whac-A-Mole, or set {FONT} to SourceHanSerifSC-ExtraLight.otf"
        ) from None


def _mark_hash() -> str:
    """The hash of the watermark on grey: it depends on the font, which a variable may name, and on what draws it."""
    return content_hash(watermark(Image.new("RGB", (224, 224), (128, 128, 128))).tobytes())


class Watermarked(View):
    """224 px crops of a set's images, with the watermark or (`plain`) without."""

    as_stored = True

    def __init__(self, whole: Dataset, *, plain: bool) -> None:
        super().__init__(whole, range(len(whole)))
        self.as_stored, self.side, self.plain = True, 224, plain

    def load(self, index: int) -> Loaded:
        loaded = super().load(index)
        crop = Image.fromarray(crop_224(loaded.image))
        return Loaded(crop if self.plain else watermark(crop), loaded.content)

    def content(self) -> list[tuple[object, ...]]:
        made = "crop 224" if self.plain else f"watermark {TEXT} {SIZE} {OPACITY} {LEFT} {TOP} {_mark_hash()}"
        return [(made, *each) for each in super().content()]


def open_imagenet_w(place: SetPlace, part: str) -> Dataset:
    """The watermarked crops, or those of part `plain`. Raises `UsageError` for another part."""
    if part not in ("", PLAIN):
        raise UsageError(f"imagenet-w: expected the part {PLAIN!r} or none, found {part!r}")
    if not part:
        _font()
    dataset = Watermarked(open_imagenet(place), plain=bool(part))
    dataset.name = "imagenet-w"
    return dataset


SETS = (
    SetInfo(
        "imagenet-w",
        "ImageNet-W, validation images under a watermark",
        94,
        "imagenet1k",
        50_000,
        RESEARCH,
        "https://github.com/facebookresearch/Whac-A-Mole",
        open_imagenet_w,
        source="imagenet",
        heading="W gap",
        headline="gap",
        citation="Li et al. 2023, arXiv 2212.04825",
    ),
)
