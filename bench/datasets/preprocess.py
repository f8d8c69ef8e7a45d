"""The way from an image to a network's input, under two protocols.

`published`: as the checkpoint's authors did it (the card's `InputSpec`). `canonical`: the same rule for all models:
short side to size / 0.875 by Pillow's antialiased bicubic, centre crop of the model's own size. Corrupted and other
images that come at a fixed size are never cropped again: they are resized to the model's size where that differs;
but for authors who did, under `published` (`InputSpec.stored`).
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from PIL import Image

from bench.datasets.base import Picture
from bench.datasets.interpolation import ORIGINAL, efficientnet_evaluation
from bench.options.run import InputRule
from model_zoo.card import InputSpec

CANONICAL_CROP = 0.875
"""256 / 224, the field's usual centre crop."""

CANONICAL_RULE = "canonical-1: short side size/0.875, Pillow bicubic, centre crop"

CANONICAL_WHOLE = "canonical-1: the whole picture to size by size, Pillow bicubic"
"""Of models that take images as they are, such as CIFAR's: a crop of an image of their own size would be wrong."""

_PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "tf1_bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}


def input_spec(spec: InputSpec, protocol: InputRule) -> InputSpec:
    """The card's own spec, or the canonical rule at the card's size. A spec without geometry keeps its geometry."""
    if protocol == "published":
        return spec
    if spec.geometry == "none":
        return dataclasses.replace(spec, interpolation="bicubic", stored="fit")
    resize = round(spec.size / CANONICAL_CROP)
    return dataclasses.replace(spec, geometry="resize_crop", resize=resize, interpolation="bicubic", stored="fit")


def rule(spec: InputSpec, protocol: InputRule, *, corrupted: bool = False) -> str:
    """What goes into the protocol's hash: one word for all models, or the card's values. `corrupted` images are those
    of 224 pixels that a corruption makes on the way."""
    if protocol == "canonical":
        return CANONICAL_WHOLE if spec.geometry == "none" else CANONICAL_RULE
    border = f" {_colour(spec)}" if spec.geometry == "border" else ""
    again = "; corrupted pictures once more" if corrupted and spec.stored == "again" else ""
    side = spec.crop_padding if _pads(spec) else spec.resize or spec.crop_padding
    return f"published: {spec.geometry} {spec.size} {side} {spec.interpolation}{border}{again}"


def _pads(spec: InputSpec) -> bool:
    """Whether a crop of the image, padded by `crop_padding`, is what is resized."""
    if spec.interpolation in ORIGINAL:
        return ORIGINAL[spec.interpolation] is efficientnet_evaluation
    return spec.geometry == "crop_resize"


def stored_rule(spec: InputSpec, protocol: InputRule, side: int = 0) -> str:
    """What goes into the protocol's hash for images that come at a fixed size of `side` pixels (0: of any size).

    Where that is not the input's, the filter tells two rules apart; canonical it is bicubic for all.
    """
    if protocol == "published" and spec.stored == "again":
        return f"as stored, then {rule(spec, protocol)}"
    name = _filter(spec).name.lower()
    plain = protocol == "canonical" or side == spec.size or name == "bicubic"
    return "as stored" if plain else f"as stored, brought to the input's size by {name}"


def prepare(image: Image.Image, spec: InputSpec) -> Picture:
    """A photograph of any size becomes uint8 [size, size, 3]."""
    if spec.interpolation in ORIGINAL:
        return ORIGINAL[spec.interpolation](np.asarray(image), spec)
    if spec.geometry == "none":
        return _resized(np.asarray(image), spec)
    return np.asarray(_GEOMETRIES[spec.geometry](image, spec))


def fit(picture: Picture, spec: InputSpec) -> Picture:
    """An image of fixed size, resized to the model's where that differs and never cropped; or prepared again."""
    return prepare(Image.fromarray(picture), spec) if spec.stored == "again" else _resized(picture, spec)


def _resized(picture: Picture, spec: InputSpec) -> Picture:
    if picture.shape[:2] == (spec.size, spec.size):
        return picture
    return np.asarray(Image.fromarray(picture).resize((spec.size, spec.size), _filter(spec)))


def crop_224(image: Image.Image) -> Picture:
    """Resize 256 (bilinear), centre crop 224: what ImageNet-C was made from (hendrycks/robustness make_imagenet_c)."""
    return np.asarray(_centre_crop(_short_side(image, 256, Image.Resampling.BILINEAR), 224))


def _filter(spec: InputSpec) -> Image.Resampling:
    return _PILLOW.get(spec.interpolation, Image.Resampling.BICUBIC)


def _short_side(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the short side as torchvision does: the long side is truncated to a whole number."""
    w, h = image.size
    short, long = min(w, h), max(w, h)
    if short == size:
        return image
    other = int(size * long / short)
    return image.resize((size, other) if w <= h else (other, size), resampling)


def _centre_crop(image: Image.Image, size: int) -> Image.Image:
    """Crop the centre as torchvision does: padding with black, offsets rounded half to even."""
    image = _padded(image, size, (0, 0, 0))
    w, h = image.size
    left, top = round((w - size) / 2.0), round((h - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def _resize_crop_down(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Resize and crop as transformers does: the crop's offsets are rounded down."""
    image = _padded(_short_side(image, spec.resize, _filter(spec)), spec.size, (0, 0, 0))
    left, top = (image.width - spec.size) // 2, (image.height - spec.size) // 2
    return image.crop((left, top, left + spec.size, top + spec.size))


def _padded(image: Image.Image, size: int, colour: tuple[int, ...]) -> Image.Image:
    """`image` amid a ground of `colour` where it is smaller than `size`; the odd pixel goes right and below."""
    w, h = image.size
    if w >= size and h >= size:
        return image
    ground = Image.new("RGB", (max(w, size), max(h, size)), colour)
    ground.paste(image, (max(size - w, 0) // 2, max(size - h, 0) // 2))
    return ground


def _resize_crop(image: Image.Image, spec: InputSpec) -> Image.Image:
    return _centre_crop(_short_side(image, spec.resize, _filter(spec)), spec.size)


def _squash(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Resize as timm's squash does: both sides to `resize`; an image of that size already is left as it is."""
    both = (spec.resize, spec.resize)
    return _centre_crop(image if image.size == both else image.resize(both, _filter(spec)), spec.size)


def _border(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Resize as timm's border does: the long side to `resize`, the rest in the mean's colour."""
    w, h = image.size
    ratio = max(h / spec.resize, w / spec.resize)
    side = (round(w / ratio), round(h / ratio))
    fitted = image if image.size == side else image.resize(side, _filter(spec))
    return _centre_crop(_padded(fitted, spec.size, _colour(spec)), spec.size)


def _colour(spec: InputSpec) -> tuple[int, int, int]:
    red, green, blue = (round(255 * level) for level in spec.mean)
    return red, green, blue


def _crop_then_resize(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Crop and resize as TensorFlow's EfficientNet code does: a padded centre crop, then a resize of the crop."""
    w, h = image.size
    side = int(spec.size / (spec.size + spec.crop_padding) * min(w, h))
    left, top = (w - side + 1) // 2, (h - side + 1) // 2
    return image.crop((left, top, left + side, top + side)).resize((spec.size, spec.size), _filter(spec))


_GEOMETRIES: dict[str, Callable[[Image.Image, InputSpec], Image.Image]] = {
    "resize_crop": _resize_crop,
    "resize_crop_down": _resize_crop_down,
    "crop_resize": _crop_then_resize,
    "squash": _squash,
    "border": _border,
    "centre_crop": lambda image, spec: _centre_crop(image, spec.size),
}
