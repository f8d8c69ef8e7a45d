"""Three resizes that no Python library offers any more, and the crops that went with them.

`cv2_cubic` is OpenCV's INTER_CUBIC as its x86 wheels compute it, which tensorpack's evaluation used; `tf1_bicubic` is
`tf.image.resize_bicubic` of TensorFlow 1, which the EfficientNet code used. Both take a Keys kernel with a = -0.75 and
do not smooth before shrinking; they differ in where pixels lie, in rounding and in range. `tf1_bilinear` is TensorFlow
1's `resize_bilinear`, with which that code trained and evaluated the Lite models (tensorflow/tpu, its main.py).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_zoo.card import InputSpec

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

_A = -0.75
_TF1_STEPS = 1024
"""TensorFlow 1 looks its kernel up in a table of this many fractions (core/kernels/resize_bicubic_op.cc)."""


class Size(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


class Crop(NamedTuple):
    """A rectangle: its first row and column, and its height and width, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Picture) -> Picture:
        """The pixels of `image` [h, w, 3] within the rectangle."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


def tensorpack_resized(size: Size, short: int) -> Size:
    """The size to which tensorpack's ResizeShortestEdge(short) brings an image of `size`."""
    scale = short / min(size)
    if size.height < size.width:
        return Size(short, int(scale * size.width + 0.5))
    return Size(int(scale * size.height + 0.5), short)


def tensorpack_crop(size: Size, side: int) -> Crop:
    """tensorpack's CenterCrop(side)."""
    return Crop(int((size.height - side) * 0.5), int((size.width - side) * 0.5), side, side)


def tf_centre_crop(size: Size, side: int, padding: int = 32) -> Crop:
    """The EfficientNet code's centre crop for a network of `side` pixels: side / (side + padding) of the short edge."""
    edge = int(side / (side + padding) * min(size))
    return Crop((size.height - edge + 1) // 2, (size.width - edge + 1) // 2, edge, edge)


def cv2_cubic(image: Picture, size: Size) -> Picture:
    """OpenCV's INTER_CUBIC: uint8 [h, w, 3] -> uint8 [*size, 3].

    Pixels' centres are aligned, borders repeated, the exact result rounded to the nearest level and cut off at 0 and
    255. Equal in every byte to OpenCV with Intel's IPP, as in its x86 wheels; other builds differ by one level.
    """
    rows, columns = (
        _taps((np.arange(new) + 0.5) * (old / new) - 0.5, old) for old, new in zip(image.shape, size, strict=False)
    )
    exact = _separable(image, rows, columns)
    return np.clip(np.rint(exact), 0, 255).astype(np.uint8)


def tensorpack_evaluation(image: Picture, spec: InputSpec) -> Picture:
    """tensorpack's evaluation: short side to `spec.resize`, centre crop; uint8 [h, w, 3] -> uint8 [size, size, 3]."""
    resized = tensorpack_resized(Size(*image.shape[:2]), spec.resize)
    return tensorpack_crop(resized, spec.size).of(cv2_cubic(image, resized))


def efficientnet_evaluation(image: Picture, spec: InputSpec) -> Picture:
    """The EfficientNet code's: centre crop, resize; uint8 [h, w, 3] -> uint8 [size, size, 3].

    The original hands its network unrounded values beyond 0..255; images here are uint8, so they are rounded and
    cut off. `tf1_bicubic` and `tf1_bilinear` themselves give the original's.
    """
    crop = tf_centre_crop(Size(*image.shape[:2]), spec.size, spec.crop_padding)
    resize = tf1_bilinear if spec.interpolation == "tf1_bilinear" else tf1_bicubic
    exact = resize(crop.of(image), Size(spec.size, spec.size))
    return np.clip(np.rint(exact), 0, 255).astype(np.uint8)


ORIGINAL: dict[str, Callable[[Picture, InputSpec], Picture]] = {
    "cv2_cubic": tensorpack_evaluation,
    "tf1_bicubic": efficientnet_evaluation,
    "tf1_bilinear": efficientnet_evaluation,
}
"""The whole published preparation of a photograph, by the card's `input.interpolation`."""


def tf1_bicubic(image: Picture, size: Size) -> NDArray[np.float32]:
    """TensorFlow 1's resize_bicubic: uint8 [h, w, 3] -> float32 [*size, 3] on 0..255, neither rounded nor cut off.

    Corners, not centres, are aligned (`align_corners` and `half_pixel_centers` false), and fractions are rounded to
    1/1024. Values overshoot 0..255 at edges, as they did when the networks were trained.
    """
    rows, columns = (
        _taps(np.arange(new) * (old / new), old, _TF1_STEPS) for old, new in zip(image.shape, size, strict=False)
    )
    return _separable(image, rows, columns).astype(np.float32)


def tf1_bilinear(image: Picture, size: Size) -> NDArray[np.float32]:
    """TensorFlow 1's resize_bilinear: uint8 [h, w, 3] -> float32 [*size, 3] on 0..255, not rounded; corners aligned."""
    rows, columns = (_pairs(np.arange(new) * (old / new), old) for old, new in zip(image.shape, size, strict=False))
    return _separable(image, rows, columns).astype(np.float32)


def _pairs(places: Floats, size: int) -> "_Taps":
    """The two pixels about each of `places` along an axis of `size` pixels, weighted by their nearness."""
    first = np.floor(places)
    pixels = np.minimum(first[:, None].astype(np.int64) + np.arange(2), size - 1)
    return _Taps(pixels, np.stack([1 - places + first, places - first], axis=1))


class _Taps(NamedTuple):
    """Source pixels and their weights for each place along one axis, both [places, taps]."""

    pixels: NDArray[np.int64]
    weight: Floats


def _taps(places: Floats, size: int, steps: int | None = None) -> _Taps:
    """Taps for `places` along an axis of `size` pixels; fractions are rounded to 1 / `steps` where given."""
    first = np.floor(places)
    fraction = places - first
    if steps:
        fraction = np.rint(fraction * steps) / steps
    pixels = np.clip(first[:, None].astype(np.int64) + np.arange(-1, 3), 0, size - 1)
    return _Taps(pixels, _keys(fraction))


def _separable(image: Picture, rows: _Taps, columns: _Taps) -> Floats:
    across = np.einsum("hwkc,wk->hwc", image.astype(np.float64)[:, columns.pixels], columns.weight)
    interpolated: Floats = np.einsum("hkwc,hk->hwc", across[rows.pixels], rows.weight)
    return interpolated


def _keys(t: Floats) -> Floats:
    """Weights [places, 4] of the pixels at -1, 0, 1 and 2 for a place at `t` in [0, 1] (Keys 1981)."""
    return np.stack([_outer(1 + t), _inner(t), _inner(1 - t), _outer(2 - t)], axis=1)


def _inner(distance: Floats) -> Floats:
    return ((_A + 2) * distance - (_A + 3)) * distance**2 + 1


def _outer(distance: Floats) -> Floats:
    return ((_A * distance - 5 * _A) * distance + 8 * _A) * distance - 4 * _A
