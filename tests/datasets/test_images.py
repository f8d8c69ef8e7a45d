"""Odd files: each is read as the field reads it, or says why it cannot be."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.datasets.base import UnreadableError
from bench.datasets.images import read_image

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
