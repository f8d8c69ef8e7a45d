"""The two lost interpolations against the arrays that OpenCV and TensorFlow themselves gave, and against OpenCV."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

from bench.datasets.interpolation import (
    ORIGINAL,
    Size,
    cv2_cubic,
    tensorpack_crop,
    tensorpack_resized,
    tf1_bicubic,
    tf1_bilinear,
    tf_centre_crop,
)
from bench.datasets.preprocess import prepare
from model_zoo.registry import find_card

Arrays = dict[str, NDArray[np.uint8]]


@pytest.fixture(scope="module")
def stored(shared: Path) -> Arrays:
    with np.load(shared / "oracles/preproc/preproc.npz", allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def test_tensorpack_evaluation_is_reproduced_in_every_byte(stored: Arrays) -> None:
    picture = stored["decoded_bgr_cv2"]
    resized = tensorpack_resized(Size(*picture.shape[:2]), 256)
    found = tensorpack_crop(resized, 224).of(cv2_cubic(picture, resized))
    np.testing.assert_array_equal(found, stored["tensorpack_eval_224_bgr_uint8"])


@pytest.mark.parametrize("side", [64, 192])
def test_tensorflow_1_bicubic_is_reproduced(stored: Arrays, side: int) -> None:
    found = tf1_bicubic(stored["raw_patch"], Size(side, side))
    np.testing.assert_allclose(found, stored[f"tf_bicubic_{side}"], atol=2e-4)


@pytest.mark.parametrize("side", [64, 192])
def test_tensorflow_1_bilinear_is_scipys_interpolation_at_corner_aligned_places(side: int) -> None:
    picture = np.random.default_rng(side).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    places = np.meshgrid(np.arange(side) * 90 / side, np.arange(side) * 120 / side, indexing="ij")
    expected = [map_coordinates(picture[..., c].astype(float), places, order=1, mode="nearest") for c in range(3)]
    np.testing.assert_allclose(tf1_bilinear(picture, Size(side, side)), np.stack(expected, axis=-1), atol=1e-3)


def test_the_lite_models_are_shown_pictures_resized_so() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    found = prepare(Image.fromarray(picture), find_card("efficientnet_lite0").input)
    np.testing.assert_array_equal(found, picture[16:240, 16:240], "a crop of the network's own size is not resampled")
    smooth = np.repeat(np.repeat(picture[:32, :32], 16, axis=0), 16, axis=1)
    found = prepare(Image.fromarray(smooth), find_card("efficientnet_lite0").input)
    np.testing.assert_allclose(found, tf1_bilinear(smooth[32:480, 32:480], Size(224, 224)), atol=0.5)


def test_efficientnet_evaluation_is_reproduced(stored: Arrays) -> None:
    crop = tf_centre_crop(Size(*stored["decoded_rgb_tf"].shape[:2]), 224)
    assert crop == (24, 86, 328, 328)
    found = tf1_bicubic(stored["decoded_crop_rgb_tf"], Size(224, 224))
    np.testing.assert_allclose(found, stored["tf_effnet_eval_224_rgb_float"], atol=2e-4)
    assert np.abs(found - np.clip(np.rint(found), 0, 255)).max() > 0.4, "the values are neither rounded nor cut off"


def test_published_preparations_are_the_stored_ones(stored: Arrays) -> None:
    """Through the cards of the checkpoints that were evaluated so; the second, after rounding to levels."""
    tensorpack = ORIGINAL["cv2_cubic"](stored["decoded_bgr_cv2"], find_card("sat_resnet50").input)
    np.testing.assert_array_equal(tensorpack, stored["tensorpack_eval_224_bgr_uint8"])
    levels = np.clip(np.rint(stored["tf_effnet_eval_224_rgb_float"]), 0, 255)
    found = ORIGINAL["tf1_bicubic"](stored["decoded_rgb_tf"], find_card("sat_efficientnet_b0").input)
    # TensorFlow decodes a crop of a JPEG otherwise than the whole image, in a few levels of some pixels.
    assert np.abs(found - levels).mean() < 0.1


def test_interpolations_differ(stored: Arrays) -> None:
    """The control: one in place of the other is far outside the tolerances above."""
    patch = stored["raw_patch"]
    assert np.abs(cv2_cubic(patch, Size(192, 192)) - stored["tf_bicubic_192"]).max() > 20


@pytest.mark.parametrize(("size", "short", "expected"), [((375, 500), 256, (256, 341)), ((500, 333), 331, (497, 331))])
def test_tensorpack_rounds_the_long_edge(size: tuple[int, int], short: int, expected: tuple[int, int]) -> None:
    assert tensorpack_resized(Size(*size), short) == expected


@given(st.integers(8, 60), st.integers(8, 60), st.integers(8, 90), st.integers(8, 90), st.integers(0, 255))
def test_a_flat_picture_stays_flat(h: int, w: int, new_h: int, new_w: int, level: int) -> None:
    flat = np.full((h, w, 3), level, np.uint8)
    assert (cv2_cubic(flat, Size(new_h, new_w)) == level).all()
    np.testing.assert_allclose(tf1_bicubic(flat, Size(new_h, new_w)), level, atol=1e-4)


@given(st.integers(8, 40), st.integers(8, 40), st.integers(8, 60), st.integers(8, 60), st.integers(0, 2**32 - 1))
def test_opencv_agrees_to_one_level(h: int, w: int, new_h: int, new_w: int, seed: int) -> None:
    cv2 = pytest.importorskip("cv2")
    picture = np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)
    theirs = cv2.resize(picture, (new_w, new_h), interpolation=cv2.INTER_CUBIC)
    assert np.abs(cv2_cubic(picture, Size(new_h, new_w)).astype(int) - theirs).max() <= 1
