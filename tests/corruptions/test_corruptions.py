"""The interface: names, severities, keys, batches, sizes."""

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

import bench
from bench.corruptions import EXTRA, NAMES, SEVERITIES, Corruption, image_keys
from bench.corruptions.constants import CIFAR, IMAGENET, TINY, family
from bench.corruptions.digital import _nearest
from bench.corruptions.methods import METHODS
from bench.corruptions.transform import Corrupt
from bench.corruptions.weather import snow
from bench.errors import UsageError
from bench.metrics.corruption import CORRUPTIONS

ALL = (*NAMES, *EXTRA)


def images(n: int, side: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(side)
    coarse = torch.from_numpy(rng.uniform(0, 255, (n, 3, 5, 5)))
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    return smooth.permute(0, 2, 3, 1).numpy().astype(np.uint8)


def test_the_fifteen_are_those_of_mce_and_all_families_know_all_nineteen() -> None:
    assert NAMES == CORRUPTIONS
    for constants in (IMAGENET, TINY, CIFAR):
        assert set(constants.strengths) == set(ALL) == set(METHODS)
        assert all(len(strengths) == 5 for strengths in constants.strengths.values())


@pytest.mark.parametrize(
    ("size", "expected"), [((32, 40), CIFAR), ((47, 47), CIFAR), ((48, 300), TINY), ((96, 96), IMAGENET)]
)
def test_the_shorter_side_chooses_the_constants(size: tuple[int, int], expected: object) -> None:
    assert family(*size) is expected


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("side", [32, 64])
def test_small_variants_change_the_picture_and_keep_its_shape(name: str, side: int) -> None:
    clean = images(3, side)
    out = bench.corrupt(clean, name, 5)
    assert out.shape == clean.shape
    assert out.dtype == np.uint8
    assert (out != clean).mean() > 0.02


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("side", "severity"), [(64, 3), (32, 5)])
def test_an_image_is_the_same_alone_in_any_batch_and_in_any_order(name: str, side: int, severity: int) -> None:
    clean = images(10, side) ^ np.random.default_rng(0).integers(0, 16, (10, side, side, 3), np.uint8)
    keys = image_keys(3, [str(i) for i in range(10)], "x")
    corruption = Corruption(name, severity)
    together = corruption(clean, keys)
    for order in ([7, 2, 9], [7], [2], [9]):
        apart = corruption(clean[order], keys[order])
        assert np.abs(together[order].astype(int) - apart).max() <= (1 if name == "zoom_blur" else 0)


@pytest.mark.parametrize("name", [n for n in ALL if METHODS[n].draw.__name__ != "no_draw"])
def test_the_seed_changes_what_is_drawn_and_nothing_else_does(name: str) -> None:
    clean = images(2, 64)
    first, again, other = (bench.corrupt(clean, name, 4, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("severity", [0, 6, -1, 2.5, True, "3", None])
def test_a_severity_outside_one_to_five_is_refused(severity: object) -> None:
    with pytest.raises(UsageError, match=r"1\.\.5"):
        Corruption("fog", severity)  # type: ignore[arg-type]


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="gaussian_noise"):
        Corruption("gausian_noise", 1)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 64, 64), np.uint8), np.zeros((1, 64, 64, 4), np.uint8), np.zeros((1, 64, 64, 3), np.float32)]
)
def test_grey_cmyk_and_floats_are_refused(bad: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError, match="uint8"):
        Corruption("contrast", 1)(bad, image_keys(0, [str(i) for i in range(len(bad))], ""))


def test_too_small_pictures_and_too_few_keys_are_refused() -> None:
    with pytest.raises(UsageError, match="32 px"):
        bench.corrupt(np.zeros((1, 31, 64, 3), np.uint8), "fog", 1)
    with pytest.raises(UsageError, match="one key an image"):
        Corruption("fog", 1)(images(2, 32), image_keys(0, ["a"], ""))


def test_canonical_names_say_whether_jpeg_follows() -> None:
    assert str(Corruption("fog", 3)) == "fog/3-jpeg85"
    assert str(Corruption("fog", 3, None)) == "fog/3"


@pytest.mark.parametrize("quality", [7, 40, 85, 100])
@pytest.mark.parametrize("side", [33, 64, 131])
def test_jpeg_afterwards_is_pillows_round_trip(quality: int, side: int) -> None:
    clean, keys = images(2, side), image_keys(0, ["a", "b"], "x")
    plain = Corruption("gaussian_noise", 2, None)(clean, keys)
    for expected, found in zip(plain, Corruption("gaussian_noise", 2, quality)(clean, keys), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(expected).save(buffer, "JPEG", quality=quality, optimize=True)  # as make_imagenet_c.py saves
        assert np.array_equal(found, np.asarray(Image.open(buffer)))


@pytest.mark.parametrize(("part", "full"), [(78, 131), (52, 131), (8, 32), (134, 224), (299, 300)])
def test_nearest_pixels_are_pillows(part: int, full: int) -> None:
    line = np.arange(part, dtype=np.int32)[None]
    expected = np.asarray(Image.fromarray(line).resize((full, 1), Image.Resampling.NEAREST))[0]
    np.testing.assert_array_equal(_nearest(part, full), expected)


@pytest.mark.parametrize(("given", "says"), [
    ({"seed": "1"}, "seed: expected a whole number of at least 0"),
    ({"seed": 1.0}, "seed: expected a whole number"), ({"seed": True}, "seed: expected a whole number"),
    ({"seed": -1}, "seed: expected a whole number"),
    ({"jpeg_quality": 85.5}, r"JPEG quality: expected a whole number of 1\.\.100 or None, found 85\.5"),
    ({"jpeg_quality": True}, "JPEG quality: expected a whole number"),
])  # fmt: skip
def test_numbers_that_mean_something_else_are_refused(given: dict[str, Any], says: str) -> None:
    """A seed of "1" drew other numbers than 1."""
    with pytest.raises(UsageError, match=says):
        bench.corrupt(images(1, 64), "gaussian_noise", 3, **given)
    with pytest.raises(UsageError, match=says):
        Corrupt("gaussian_noise", 3, **given)(Image.fromarray(images(1, 64)[0]))


def test_numpys_whole_numbers_are_whole_numbers() -> None:
    one, other = (bench.corrupt(images(1, 64), "fog", kind(3), seed=kind(7)) for kind in (int, np.int64))
    assert np.array_equal(one, other)


def test_masked_pixels_are_refused() -> None:
    with pytest.raises(UsageError, match="found a masked array: fill it first"):
        bench.corrupt(np.ma.masked_greater(images(1, 64), 200), "fog", 3)


def test_a_single_picture_and_an_empty_batch() -> None:
    clean = images(1, 64)
    assert np.array_equal(bench.corrupt(clean[0], "snow", 2), bench.corrupt(clean, "snow", 2)[0])
    assert bench.corrupt(clean[:0], "snow", 2).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("name", ["gaussian_blur", "zoom_blur", "defocus_blur", "motion_blur", "elastic_transform"])
def test_linear_filters_keep_a_flat_picture(name: str) -> None:
    flat = np.full((1, 96, 96, 3), 90, np.uint8)
    assert np.abs(bench.corrupt(flat, name, 5).astype(int) - 90).max() <= 1


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", ["gaussian_blur", "glass_blur"])
def test_a_flat_area_keeps_its_level_through_a_blur(name: str, severity: int) -> None:
    """In float32 the mean of equal levels may fall just below them, and truncation would darken white areas."""
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    flat = np.broadcast_to(levels[:, None, None, None], (len(levels), 96, 96, 3)).copy()
    np.testing.assert_array_equal(bench.corrupt(flat, name, severity), flat)


@settings(max_examples=20, deadline=None)
@drawn(st.integers(0, 2**31), st.text(max_size=20), st.text(max_size=20))
def test_keys_depend_on_each_part(seed: int, image_id: str, condition: str) -> None:
    key = image_keys(seed, [image_id], condition)[0]
    assert key == image_keys(seed, ["other", image_id], condition)[1]
    assert key != image_keys(seed + 1, [image_id], condition)[0]
    assert key != image_keys(seed, [image_id + "x"], condition)[0]
    assert key != image_keys(seed, [image_id], condition + "x")[0]


def test_the_transform_depends_on_the_picture_alone() -> None:
    first, second = (Image.fromarray(image) for image in images(2, 64))
    transform = Corrupt("gaussian_noise", 3, seed=5)
    alone = np.asarray(transform(first))
    transform(second)
    assert np.array_equal(alone, np.asarray(transform(first.convert("RGB"))))
    assert not np.array_equal(alone, np.asarray(Corrupt("gaussian_noise", 3, seed=6)(first)))
    assert np.asarray(transform(first.convert("CMYK"))).shape == (64, 64, 3)


def test_severity_grows() -> None:
    clean = images(1, 96)
    for name in (
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "defocus_blur",
        "zoom_blur",
        "contrast",
        "brightness",
    ):
        error = [np.abs(bench.corrupt(clean, name, s).astype(float) - clean).mean() for s in SEVERITIES]
        assert error == sorted(error), name


@pytest.mark.parametrize("side", [64, 91, 224, 299])
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_snows_layer_is_the_centre_of_what_was_magnified(side: int, severity: int) -> None:
    """The official scripts' `clipped_zoom`, which imagecorruptions changed; without streaks and on black."""
    known = Corruption("snow", severity, None).setting(side, side)
    setting = known._replace(c=known.c._replace(radius=0, opacity=1.0))
    crop = math.ceil(side / known.c.zoom)
    noise = np.random.default_rng(side).normal(size=(crop, crop)).astype(np.float32)
    layer = zoom(noise * known.c.std + known.c.mean, known.c.zoom, order=1)
    trim = (len(layer) - side) // 2
    layer = layer[trim : trim + side, trim : trim + side]
    layer = np.where(layer < known.c.threshold, 0, layer).clip(0, 1)
    expected = np.round(layer * 255) + np.round(layer * 255)[::-1, ::-1]
    black, angle = torch.zeros(1, side, side, 3, dtype=torch.uint8), torch.tensor([-90.0])
    found = snow(black, setting, torch.from_numpy(noise)[None], angle)
    assert np.mean(np.abs(found[0, ..., 0].numpy() - expected) <= 2) > 0.99  # a flake at the threshold may be missing
