"""The decode cache: the same records without decoding, and damage that costs a decode, never a wrong image."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
from bench.datasets.folder import FolderDataset
from bench.engine.decoded import DecodedCache, Slot, SlotFile
from bench.engine.pictures import Viewed
from bench.testing import fake_model


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Indices of the images decoded from their files."""
    read: list[int] = []
    original = FolderDataset.load
    monkeypatch.setattr(FolderDataset, "load", lambda self, index: read.append(index) or original(self, index))
    return read


def _run(data: Path, out: Path, *models: str) -> pd.DataFrame:
    bench.run([fake_model(m, seed=i) for i, m in enumerate(models)], "imagenet", data=data, out=out, quiet=True)
    return bench.records(out).sort_values(["model", "image_id"], ignore_index=True)


def test_a_second_run_decodes_nothing_and_says_the_same(
    imagenet: Path, tmp_path: Path, decodes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = _run(imagenet, tmp_path / "a", "m")
    monkeypatch.setenv("BENCH_DECODED", str(tmp_path / "cache"))
    first = _run(imagenet, tmp_path / "b", "m")
    decodes.clear()
    second = _run(imagenet, tmp_path / "c", "m")
    assert decodes == []
    pd.testing.assert_frame_equal(first, without)
    pd.testing.assert_frame_equal(second, without)


def test_a_damaged_slot_is_decoded_again(
    imagenet: Path, tmp_path: Path, decodes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DECODED", str(tmp_path / "cache"))
    first = _run(imagenet, tmp_path / "a", "m")
    (slots,) = (tmp_path / "cache").glob("*.u8")
    damaged = bytearray(slots.read_bytes())
    damaged[2 * 32 * 32 * 3] ^= 1  # a bit of the third image
    slots.write_bytes(bytes(damaged))
    decodes.clear()
    second = _run(imagenet, tmp_path / "b", "m")
    assert decodes == [2]
    pd.testing.assert_frame_equal(second, first)


def test_slots_hold_black_pictures_and_tell_what_was_never_put(tmp_path: Path) -> None:
    file = SlotFile(tmp_path / "x", (2, 2, 3))
    file.put(3, Slot(np.zeros((2, 2, 3), np.uint8), "0123456789abcdef"), "state")
    found = file.get(3, "state")
    assert found is not None
    assert not found.picture.any()
    assert found.content == "0123456789abcdef"
    assert file.get(3, "another state") is None
    assert file.get(0) is None
    assert file.get(9) is None


def test_pictures_of_another_shape_are_left_out(tmp_path: Path) -> None:
    cache = DecodedCache(tmp_path)
    cache.put(("m", 0), Viewed({None: np.ones((4, 4, 3), np.uint8)}))
    cache.put(("m", 1), Viewed({None: np.ones((5, 4, 3), np.uint8)}))
    fresh = DecodedCache(tmp_path)
    assert fresh.get(("m", 0), [None]) is not None
    assert fresh.get(("m", 1), [None]) is None
