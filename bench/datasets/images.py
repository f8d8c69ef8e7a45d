"""Files become RGB pictures, whatever they are; those that are not pictures say so."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bench.datasets.base import UnreadableError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "TIFF")
"""What is decoded, whatever a file's name is. Pillow knows more: of an EPS it would start Ghostscript."""

EXTENSIONS = frozenset({".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".tif", ".tiff"})


def read_image(source: Path | io.BytesIO, name: str = "") -> Image.Image:
    """The picture in a file, or in the bytes of one called `name`, as 8-bit RGB.

    Grey, palette and CMYK pictures are converted; 16-bit ones are scaled to 8; of an animation the first frame counts;
    transparency is dropped; EXIF rotation is not applied, as in torchvision and the original evaluations.
    Raises `UnreadableError` for anything truncated, empty or not a picture.
    """
    name = name or getattr(source, "name", "")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF data, which is not used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=FORMATS) as image:
                return _to_rgb(image)
    except UnidentifiedImageError:
        raise UnreadableError(f"{'empty file' if _empty(source) else 'not a picture'}: {name}") from None
    except MemoryError:
        raise
    except Exception as error:  # of damaged files, Pillow's decoders raise anything from OSError to IndexError
        raise UnreadableError(f"{name}: {error}") from None


def _empty(source: Path | io.BytesIO) -> bool:
    return (source.stat().st_size if isinstance(source, Path) else len(source.getvalue())) == 0


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16- and 32-bit grey: Pillow's own conversion clips at 255
        values = np.asarray(image, dtype=np.int64)
        return Image.fromarray(np.clip(values // 257, 0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
