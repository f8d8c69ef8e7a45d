"""Odd files: each is read as the field reads it, or says why it cannot be."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

import bench
from bench.datasets.base import UnreadableError
from bench.datasets.images import read_image
from bench.errors import UsageError

GREY = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))


def test_greyscale_cmyk_palette_and_animation_become_rgb(tmp_path: Path) -> None:
    grey = Image.fromarray(GREY)
    grey.save(tmp_path / "grey.jpeg")
    grey.convert("CMYK").save(tmp_path / "cmyk.jpeg")
    grey.convert("P").save(tmp_path / "palette.png")
    grey.save(tmp_path / "moving.gif", save_all=True, append_images=[Image.new("L", (64, 64), 255)])
    for name in ("grey.jpeg", "cmyk.jpeg", "palette.png", "moving.gif"):
        image = read_image(tmp_path / name)
        assert image.mode == "RGB"
        assert image.size == (64, 64)
        assert np.abs(np.asarray(image).astype(int)[:, :, 0] - GREY).max() < 12, name


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.array_equal(np.asarray(read_image(tmp_path / "deep.png"))[:, :, 1], GREY)


@pytest.mark.parametrize("values", [GREY / np.float32(255), GREY.astype(np.int32)], ids=["float", "int"])
def test_grey_of_32_bits_is_unreadable_rather_than_black(tmp_path: Path, values: np.ndarray) -> None:  # type: ignore[type-arg]
    """Nothing tells whether white is 1, 255 or 65,535: both of these became black images."""
    image = Image.fromarray(values)
    image.save(tmp_path / "deep.tif")
    with pytest.raises(UnreadableError, match=r"deep\.tif: 32-bit grey .* save it with 8 or 16 bits"):
        read_image(tmp_path / "deep.tif")
    with pytest.raises(UsageError, match="32-bit grey"):
        bench.corrupt(image, "fog", 1)


def test_eight_bits_in_a_file_of_sixteen_are_unreadable_rather_than_black(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UnreadableError, match=r"16-bit grey of values up to \d+, which would be black"):
        read_image(tmp_path / "deep.png")
    Image.fromarray(np.zeros((64, 64), np.uint16)).save(tmp_path / "black.png")
    assert not np.asarray(read_image(tmp_path / "black.png")).any()


def test_exif_rotation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # orientation: rotate by 90 degrees
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").size == (40, 20)


@pytest.mark.parametrize("content", [b"", b"this is text", b"\xff\xd8\xff\xe0 half a header"])
def test_what_is_not_a_picture_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.JPEG").write_bytes(content)
    with pytest.raises(UnreadableError, match=r"x\.JPEG"):
        read_image(tmp_path / "x.JPEG")


def test_a_truncated_picture_is_unreadable(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)).save(buffer, "JPEG")
    (tmp_path / "cut.JPEG").write_bytes(buffer.getvalue()[:1500])
    with pytest.raises(UnreadableError, match="cut"):
        read_image(tmp_path / "cut.JPEG")


MAGIC = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF", b"II*\x00"]


@given(st.binary(max_size=300), st.sampled_from(MAGIC))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_picture_or_unreadable(tmp_path: Path, data: bytes, magic: bytes) -> None:
    path = tmp_path / "x.jpeg"
    path.write_bytes(magic + data)
    outcome: object
    try:
        outcome = read_image(path).mode
    except UnreadableError as error:
        outcome = error
    assert outcome == "RGB" or "x.jpeg" in str(outcome)


def test_a_picture_over_89_megapixels_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    """Pillow warns from 89,478,485 pixels on, and refuses twice as many; what it warns of is read."""
    path = tmp_path / "large.png"
    Image.new("L", (9600, 9400), 77).save(path)
    image = read_image(path)
    assert image.size == (9600, 9400)
    assert image.getpixel((5, 5)) == (77, 77, 77)


def test_the_largest_size_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.new("L", (200, 200)).save(tmp_path / "x.png")
    monkeypatch.setenv("BENCH_MAX_PIXELS", "10000")
    with pytest.raises(UnreadableError, match="BENCH_MAX_PIXELS sets the largest size"):
        read_image(tmp_path / "x.png")
    monkeypatch.setenv("BENCH_MAX_PIXELS", "40000")
    assert read_image(tmp_path / "x.png").size == (200, 200)


def test_avif_is_read_as_pillow_reads_it_or_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if features.check("avif"):
        path = tmp_path / "x.avif"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)).save(path)
        assert np.array_equal(np.asarray(read_image(path)), np.asarray(Image.open(path).convert("RGB")))
    monkeypatch.setattr(features, "check", lambda _name: False)
    (tmp_path / "y.avif").write_bytes(b"not an image")
    with pytest.raises(UnreadableError, match=r"AVIF needs Pillow 11\.3"):
        read_image(tmp_path / "y.avif")
