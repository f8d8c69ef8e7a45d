"""Preprocessing against torchvision's own transforms, byte for byte."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode as Mode

from bench.datasets.preprocess import crop_224, fit, input_spec, prepare, rule, stored_rule
from model_zoo.card import Geometry, InputSpec

SPEC = InputSpec(224, resize=256, interpolation="bilinear")


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(width * 7 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


@given(st.integers(40, 90), st.integers(40, 90), st.sampled_from(["bilinear", "bicubic"]))
@settings(max_examples=40, deadline=None)
def test_resize_and_crop_are_torchvisions(width: int, height: int, interpolation: str) -> None:
    image = picture(width, height)
    reference = T.Compose([T.Resize(37, Mode(interpolation)), T.CenterCrop(32)])(image)
    spec = dataclasses.replace(SPEC, size=32, resize=37, interpolation=interpolation)
    assert np.array_equal(prepare(image, spec), np.asarray(reference))


def test_the_corruption_crop_is_256_and_224_bilinear() -> None:
    image = picture(300, 400)
    assert np.array_equal(crop_224(image), np.asarray(T.Compose([T.Resize(256), T.CenterCrop(224)])(image)))


def test_crop_resize_takes_the_padded_centre_crop() -> None:
    image = picture(500, 375)
    spec = InputSpec(224, geometry="crop_resize", interpolation="bicubic")
    side = int(224 / 256 * 375)  # 328, at row 24 and column 86: facts of TensorFlow's code
    crop = image.crop((86, 24, 86 + side, 24 + side)).resize((224, 224), Image.Resampling.BICUBIC)
    assert np.array_equal(prepare(image, spec), np.asarray(crop))


def test_pictures_of_fixed_size_are_never_cropped() -> None:
    stored = np.asarray(picture(224, 224))
    assert fit(stored, SPEC) is stored
    larger = fit(stored, dataclasses.replace(SPEC, size=240, resize=240))
    assert np.array_equal(larger, np.asarray(T.Resize((240, 240), Mode.BILINEAR)(Image.fromarray(stored))))


def test_the_canonical_rule_is_one_for_all() -> None:
    for size, resize in ((224, 256), (240, 274), (380, 434)):
        spec = input_spec(dataclasses.replace(SPEC, size=size, resize=size), "canonical")
        assert (spec.resize, spec.interpolation, spec.geometry) == (resize, "bicubic", "resize_crop")
        assert rule(SPEC, "canonical") == rule(spec, "canonical")
    assert input_spec(SPEC, "published") == SPEC


@pytest.mark.parametrize(("geometry", "left"), [("resize_crop", 2), ("resize_crop_down", 1)])
def test_an_odd_pixel_goes_to_the_even_side_or_down(geometry: Geometry, left: int) -> None:
    """35 columns, of which a crop shows 32: torchvision rounds 1.5 to 2, transformers down to 1."""
    shown = prepare(picture(35, 32), InputSpec(32, geometry=geometry, resize=32))
    assert np.array_equal(shown, np.asarray(picture(35, 32))[:, left : left + 32])


@pytest.mark.parametrize("protocol", ["canonical", "published"])
def test_an_input_without_geometry_is_used_as_it_is(protocol) -> None:
    spec = InputSpec(32, geometry="none")
    assert input_spec(spec, protocol) == spec


SPECS = [
    InputSpec(size, geometry=geometry, resize=resize, crop_padding=padding, interpolation=interpolation, stored=stored)
    for size in (32, 40)
    for geometry in ("resize_crop", "resize_crop_down", "crop_resize", "squash", "border", "centre_crop", "none")
    for resize in (40, 44)
    for padding in (8, 16)
    for interpolation in ("bilinear", "bicubic", "tf1_bicubic", "cv2_cubic", "nearest")
    for stored in ("fit", "again")
]


WORDS = {
    ("canonical", "photograph"): 2,
    ("canonical", "stored"): 1,
    ("canonical", "corrupted"): 2,
    ("published", "photograph"): 140,
    ("published", "stored"): 143,
    ("published", "corrupted"): 280,
}
"""Unlike rules of the 560 specs: one for all would tell too little, one a spec would tell equal images apart."""


@pytest.mark.parametrize("protocol", ["canonical", "published"])
@pytest.mark.parametrize("way", ["photograph", "stored", "corrupted"])
def test_one_rule_never_stands_for_two_tensors(protocol: str, way: str) -> None:
    """Every spec x every other of one size: where the protocol's words are the same, so are the pixels."""
    photograph, stored = picture(64, 48), np.asarray(picture(36, 36))
    seen: dict[tuple[str, int], bytes] = {}
    for asked in SPECS:
        spec = input_spec(asked, protocol)
        if way == "photograph":
            said, shown = rule(asked, protocol), prepare(photograph, spec)
        elif way == "stored":
            said, shown = stored_rule(asked, protocol, 36), fit(stored, spec)
        else:
            said, shown = rule(asked, protocol, corrupted=True), fit(crop_224(photograph), spec)
        assert seen.setdefault((said, spec.size), shown.tobytes()) == shown.tobytes(), said
    assert len({said for said, _ in seen}) == WORDS[protocol, way]


def test_pictures_of_the_inputs_own_size_are_as_stored_under_both_protocols() -> None:
    assert stored_rule(SPEC, "published", 224) == stored_rule(SPEC, "canonical", 224) == "as stored"
    other = dataclasses.replace(SPEC, size=299, resize=342)
    assert stored_rule(other, "canonical", 224) == "as stored"
    assert stored_rule(other, "published", 224) == "as stored, brought to the input's size by bilinear"
