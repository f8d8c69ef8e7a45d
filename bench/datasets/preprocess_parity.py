"""Are the published preparations of an image the originals'? Held against what OpenCV and TensorFlow themselves gave.

An oracle is a folder with `preproc.npz`: one decoded image, and the arrays that the original code made of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.datasets.interpolation import Size, tensorpack_evaluation, tf1_bicubic, tf_centre_crop
from bench.errors import DataError
from model_zoo.errors import WeightsError
from model_zoo.formats.tensorpack import read_arrays
from model_zoo.registry import find_card

ARRAYS = "preproc.npz"


@dataclass(frozen=True)
class PictureDifference:
    """The largest difference of one preparation, in grey levels, and what it may be."""

    name: str
    largest: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether it is within the tolerance."""
        return self.largest <= self.tolerance

    def __str__(self) -> str:
        verdict = "ok" if self.ok else "DIFFERENT"
        return f"{self.name}  largest difference {self.largest:.3g} grey levels of 255  {verdict}"


def check_preprocessing(path: Path) -> list[PictureDifference]:
    """Our preparations against the arrays in `path`. Raises `DataError` for arrays that are damaged or missing."""
    try:
        stored = read_arrays(path / ARRAYS)
        return [_tensorpack(stored), _tensorflow(stored)]
    except (KeyError, ValueError, WeightsError) as error:
        raise DataError(f"{path / ARRAYS}: expected the arrays of a preprocessing oracle: {error}") from None


def _tensorpack(stored: Mapping[str, np.ndarray]) -> PictureDifference:
    """The ResNets' evaluation, whose result is uint8: every byte."""
    found = tensorpack_evaluation(stored["decoded_bgr_cv2"], find_card("sat_resnet50").input)
    return _difference("sat_resnet50's published input (tensorpack)", found, stored["tensorpack_eval_224_bgr_uint8"], 0)


def _tensorflow(stored: Mapping[str, np.ndarray]) -> PictureDifference:
    """The EfficientNets' resize before it is rounded to levels, of the crop as TensorFlow decodes it."""
    size = find_card("sat_efficientnet_b0").input.size
    crop = tf_centre_crop(Size(*stored["decoded_rgb_tf"].shape[:2]), size)
    picture = stored["decoded_crop_rgb_tf"]
    if picture.shape[:2] != (crop.height, crop.width):
        raise ValueError(f"the stored crop is {picture.shape[:2]}, ours {(crop.height, crop.width)}")
    found = tf1_bicubic(picture, Size(size, size))
    expected = stored["tf_effnet_eval_224_rgb_float"]
    return _difference("sat_efficientnet_b0's published input (TensorFlow 1)", found, expected, 2e-4)


def _difference(
    name: str, found: NDArray[np.generic], expected: NDArray[np.generic], tolerance: float
) -> PictureDifference:
    return PictureDifference(name, float(np.abs(found.astype(float) - expected.astype(float)).max()), tolerance)
