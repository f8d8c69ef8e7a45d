"""What `bench.corrupt` and `Corrupt` take, against imagecorruptions and Pillow, and what they say to anything else."""

import imagecorruptions
import numpy as np
import pytest
import torch
from PIL import Image

import bench
from bench.corruptions.transform import Corrupt
from bench.errors import UsageError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (64, 80, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (64, 80), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(64, 500), (500, 64), (32, 400), (40, 900), (95, 96), (33, 1000)])
def test_frost_on_an_elongated_small_picture(shape: tuple[int, int]) -> None:
    picture = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    out = bench.corrupt(picture, "frost", 3)
    assert out.shape == picture.shape
    assert out.std() > 0


def test_grey_pictures_become_rgb_as_in_imagecorruptions() -> None:
    """Contrast has no chance in it: the same bytes as the reference gives."""
    theirs = imagecorruptions.corrupt(GREY, corruption_name="contrast", severity=2)
    for grey in (GREY, GREY[..., None]):
        ours = bench.corrupt(grey, "contrast", 2)
        assert ours.shape == theirs.shape == (64, 80, 3)
        assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.array_equal(bench.corrupt(GREY[None, ..., None], "contrast", 2)[0], ours)


def test_pil_pictures_lists_and_tensors_give_what_arrays_give() -> None:
    expected = bench.corrupt(np.stack([COLOUR, COLOUR]), "fog", 3)
    assert np.array_equal(bench.corrupt(COLOUR, "fog", 3), expected[0])
    assert np.array_equal(bench.corrupt(Image.fromarray(COLOUR), "fog", 3), expected[0])
    assert np.array_equal(bench.corrupt([Image.fromarray(COLOUR), COLOUR], "fog", 3), expected)
    tensor = bench.corrupt(torch.from_numpy(np.stack([COLOUR, COLOUR])), "fog", 3)
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), expected)


@pytest.mark.parametrize("severity", [np.int64(3), np.uint8(3), torch.tensor(3).item()])
def test_numpys_whole_numbers_are_severities(severity: int) -> None:
    assert np.array_equal(bench.corrupt(COLOUR, "fog", severity), bench.corrupt(COLOUR, "fog", 3))
    assert str(bench.corruptions.Corruption("fog", severity)) == "fog/3-jpeg85"


@pytest.mark.parametrize("severity", [True, 3.0, "3", 0, 6])
def test_anything_else_is_no_severity(severity: object) -> None:
    with pytest.raises(UsageError, match=r"whole number of 1\.\.5"):
        bench.corrupt(COLOUR, "fog", severity)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        (COLOUR / 255, r"\* 255\)\.round"),
        (torch.from_numpy(COLOUR).float() / 255, r"\* 255\)\.round"),
        (COLOUR.astype(np.uint16), "8 bits"),
        (COLOUR.transpose(2, 0, 1), r"channels first: transpose\(1, 2, 0\)"),
        (torch.from_numpy(COLOUR).permute(2, 0, 1)[None], r"channels first: transpose\(0, 2, 3, 1\)"),
        ([COLOUR, COLOUR[:40]], "one by one"),
        (np.zeros((5, 64, 64), np.uint8), "convert other images to RGB"),
        ("picture.jpg", "found str"),
    ],
)
def test_what_is_not_taken_is_told_how_to_be(images: object, advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        bench.corrupt(images, "fog", 3)


def test_sixteen_bit_grey_is_scaled_not_clipped_to_white() -> None:
    """The same image at 8 and at 16 bits: 257 grey levels of 16 bits are one of 8."""
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert deep.mode.startswith("I;16")
    ours = np.asarray(Corrupt("contrast", 2)(deep))
    assert np.array_equal(ours, np.asarray(Corrupt("contrast", 2)(Image.fromarray(GREY))))
    assert np.array_equal(bench.corrupt(deep, "contrast", 2), ours)
