"""The way from a picture to a network's input, under two protocols.

`published`: as the checkpoint's authors did it (the card's `InputSpec`). `canonical`: the same rule for all models:
short side to size / 0.875 by Pillow's antialiased bicubic, centre crop of the model's own size. Corrupted and other
pictures that come at a fixed size are never cropped again: they are resized to the model's size where that differs.
"""

import dataclasses

import numpy as np
from PIL import Image

from bench.datasets.base import Picture
from bench.datasets.interpolation import ORIGINAL
from bench.options.run import InputProtocol
from model_zoo.card import InputSpec

CANONICAL_CROP = 0.875
"""256 / 224, the field's usual centre crop."""

CANONICAL_RULE = "canonical-1: short side size/0.875, Pillow bicubic, centre crop"

_PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "tf1_bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def input_spec(spec: InputSpec, protocol: InputProtocol) -> InputSpec:
    """The card's own spec, or the canonical rule at the card's size. A spec without geometry stays as it is."""
    if protocol == "published" or spec.geometry == "none":
        return spec
    resize = round(spec.size / CANONICAL_CROP)
    return dataclasses.replace(spec, geometry="resize_crop", resize=resize, interpolation="bicubic")


def rule(spec: InputSpec, protocol: InputProtocol) -> str:
    """What goes into the protocol's hash: one word for all models, or the card's values."""
    if protocol == "canonical":
        return CANONICAL_RULE
    return f"published: {spec.geometry} {spec.size} {spec.resize or spec.crop_padding} {spec.interpolation}"


def prepare(image: Image.Image, spec: InputSpec) -> Picture:
    """A photograph of any size becomes uint8 [size, size, 3]."""
    if spec.interpolation in ORIGINAL:
        return ORIGINAL[spec.interpolation](np.asarray(image), spec)
    if spec.geometry == "resize_crop":
        return np.asarray(_centre_crop(_short_side(image, spec.resize, _filter(spec)), spec.size))
    if spec.geometry == "crop_resize":
        return np.asarray(_crop_then_resize(image, spec))
    return fit(np.asarray(image), spec)


def fit(picture: Picture, spec: InputSpec) -> Picture:
    """A picture of fixed size, resized to the model's where that differs; never cropped."""
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
    """Crop the centre as torchvision does: offsets rounded half to even."""
    w, h = image.size
    left, top = round((w - size) / 2.0), round((h - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def _crop_then_resize(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Crop and resize as TensorFlow's EfficientNet code does: a padded centre crop, then a resize of the crop."""
    w, h = image.size
    side = int(spec.size / (spec.size + spec.crop_padding) * min(w, h))
    left, top = (w - side + 1) // 2, (h - side + 1) // 2
    return image.crop((left, top, left + side, top + side)).resize((spec.size, spec.size), _filter(spec))
