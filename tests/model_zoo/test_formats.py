"""Readers of released files: what they read, what they refuse, and that nothing in a file is ever run."""

import io
import os
import pickle
import tempfile
import tracemalloc
import warnings
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tensorflow_writer import table, write_checkpoint

from model_zoo.errors import WeightsError
from model_zoo.formats import read_file, tf_checkpoint
from model_zoo.formats.crc32c import crc32c
from model_zoo.formats.sniff import sniff
from model_zoo.formats.tensorpack import read_arrays
from model_zoo.formats.training_state import is_training_state

fuzzing = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ARRAYS = {"conv0/W": np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1), "linear/b": np.ones(3, np.float32)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_crc32c_is_that_of_rfc_3720(data: bytes, expected: int) -> None:
    """Appendix B.4, and the customary check value."""
    assert crc32c(data) == expected


@given(st.binary(min_size=120, max_size=700), st.integers(0, 700))
def test_crc32c_of_lanes_is_that_of_single_bytes(data: bytes, cut: int) -> None:
    """Long messages take the vectorised way; a register moved on by hand is the answer for all."""
    register = 0xFFFFFFFF
    for byte in data[cut:]:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(data[cut:]) == register ^ 0xFFFFFFFF


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
shapes = st.lists(st.integers(0, 4), max_size=4)


@fuzzing
@given(
    variables=st.dictionaries(names, st.tuples(shapes, st.sampled_from(["float32", "int64", "uint8"])), max_size=120)
)
def test_a_checkpoint_is_read_as_it_was_written(variables: dict[str, Any], tmp_path: Path) -> None:
    arrays = {
        name: np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
        for name, (shape, dtype) in variables.items()
        if not is_training_state(name)
    }
    write_checkpoint(tmp_path / "model.ckpt", arrays)
    found = tf_checkpoint.read(tmp_path / "model.ckpt.index")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name].numpy(), array)


def test_tensorflows_own_checkpoint_equals_tensorpacks_dump(shared: Path) -> None:
    checkpoint = read_file(shared / "oracles/sat_tiny_silu_224_tfckpt/Res50-silu.index")
    dump = read_file(shared / "oracles/sat_tiny_silu_224/weights.npz")
    assert checkpoint.keys() == dump.keys(), "decoys are skipped, nothing else is"
    assert all(torch.equal(checkpoint[name], dump[name]) for name in dump)


@pytest.mark.parametrize("named", ["model.ckpt", "model.ckpt.index", "model.ckpt.data-00000-of-00001"])
def test_a_checkpoint_may_be_named_by_any_of_its_files(tmp_path: Path, named: str) -> None:
    write_checkpoint(tmp_path / "model.ckpt", ARRAYS)
    assert read_file(tmp_path / named).keys() == ARRAYS.keys()


@pytest.mark.parametrize(
    "name", ["global_step", "learning_rate", "conv0/W/Momentum", "a/RMSProp_1", "b/Adam", "EMA/cost", "beta1_power"]
)
def test_training_state_is_left_out(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "a.npz", **{f"{name}:0": np.ones(2, np.float32)}, **ARRAYS)
    assert read_file(tmp_path / "a.npz").keys() == ARRAYS.keys()


@pytest.mark.parametrize("name", ["conv0/bn/mean/EMA", "conv0/bn/beta", "stem/kernel/ExponentialMovingAverage"])
def test_weights_that_sound_like_training_state_are_read(name: str) -> None:
    assert not is_training_state(name)


def test_an_index_beside_another_checkpoints_data_is_found_out(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", ARRAYS)
    write_checkpoint(tmp_path / "b", {name: array + 1 for name, array in ARRAYS.items()})
    (tmp_path / "b.data-00000-of-00001").replace(tmp_path / "a.data-00000-of-00001")
    with pytest.raises(WeightsError, match="swapped"):
        read_file(tmp_path / "a.index")


def test_a_truncated_or_missing_data_file_is_named(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", ARRAYS)
    data = tmp_path / "a.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="truncated"):
        read_file(tmp_path / "a.index")
    data.unlink()
    with pytest.raises(WeightsError, match="missing"):
        read_file(tmp_path / "a.index")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({b"": b"\x08\x02"}, "2 shards"),
        ({b"": b"\x08\x01\x10\x01"}, "big-endian"),
        ({b"": b"\x08\x01", b"w": b"\x08\x63\x28\x04"}, "type 99"),
        ({b"": b"\x08\x01", b"w": b"\x08\x01\x28\x05"}, "cannot take 5 bytes"),
        ({b"": b"\x08\x01", b"w": b"\x08\x01\x18\x01\x28\x04"}, "slices or shards"),
    ],
)
def test_what_an_index_may_not_hold(tmp_path: Path, entries: dict[bytes, bytes], reason: str) -> None:
    (tmp_path / "a.index").write_bytes(table(entries))
    with pytest.raises(WeightsError, match=reason):
        read_file(tmp_path / "a.index")


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def pickle_bombs(trap: Trap) -> dict[str, bytes]:
    zipped, arrays, nested = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"w": trap}, zipped)
    torch.save({"w": trap}, nested, _use_new_zipfile_serialization=False)
    np.savez(arrays, w=np.array([trap], dtype=object))
    return {
        "torch": zipped.getvalue(),
        "legacy": nested.getvalue(),
        "npz": arrays.getvalue(),
        "raw": pickle.dumps(trap),
    }


@pytest.mark.parametrize("kind", ["torch", "legacy", "npz", "raw"])
def test_a_pickle_bomb_does_not_go_off(tmp_path: Path, kind: str) -> None:
    sprung = tmp_path / "sprung"
    (tmp_path / "weights").write_bytes(pickle_bombs(Trap(sprung))[kind])
    with pytest.raises(WeightsError, match="weights"):
        read_file(tmp_path / "weights")
    assert not sprung.exists()


def test_a_method_that_takes_the_memory_it_asks_for_is_refused(tmp_path: Path) -> None:
    """LZMA's header names the size of its dictionary, up to 4 GiB, and the decoder allocates it."""
    content = io.BytesIO()
    np.save(content, np.ones(3))
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("w.npy", content.getvalue())
    with pytest.raises(WeightsError, match=r"w\.npy is compressed by method 14"):
        read_file(tmp_path / "w.npz")


def test_a_member_that_claims_to_be_huge_takes_no_memory(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", w=np.ones(3))
    content = (tmp_path / "w.npz").read_bytes()
    entry = content.index(b"PK\x01\x02")
    huge = (1_900_000_000).to_bytes(4, "little")
    (tmp_path / "w.npz").write_bytes(content[: entry + 20] + huge + huge + content[entry + 28 :])
    tracemalloc.start()
    with pytest.raises(WeightsError):
        read_arrays(tmp_path / "w.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_a_zip_bomb_is_refused_before_it_expands(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", bytes(20_000_000))
    with pytest.raises(WeightsError, match=r"would expand to 20000000; .*refused"):
        read_file(tmp_path / "bomb.npz")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>Google Drive - Virus scan warning</title>", "web page"),
        (b"\xef\xbb\xbf\r\n<HTML>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04 cut short", "damaged or truncated"),
        (b"\x89PNG\r\n", "unknown content"),
        (b"\x80\x05not a pickle", "not a PyTorch file"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{", "safetensors"),
    ],
)
def test_what_is_not_weights_is_called_by_its_name(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "Res50-silu.npz").write_bytes(content)
    with pytest.raises(WeightsError, match=f"Res50-silu.npz.*{reason}"):
        read_file(tmp_path / "Res50-silu.npz")


def samples(folder: Path) -> dict[str, Path]:
    """One small file of every format."""
    tensors = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
    torch.save(tensors, folder / "torch.pth")
    torch.save(tensors, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    save_file(tensors, folder / "a.safetensors")
    np.savez_compressed(folder / "a.npz", **ARRAYS)
    write_checkpoint(folder / "a", ARRAYS)
    return {p.name: p for p in folder.iterdir() if ".data-" not in p.name}


@cache
def sample_files() -> dict[str, bytes]:
    """What `samples` writes, once: torch's old format holds addresses in memory, of which even the length differs."""
    with tempfile.TemporaryDirectory() as folder:
        samples(Path(folder))
        return {p.name: p.read_bytes() for p in Path(folder).iterdir()}


@pytest.mark.parametrize("name", ["torch.pth", "legacy.pth", "a.safetensors", "a.npz", "a.index"])
def test_a_file_is_known_by_its_content_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = samples(tmp_path)[name]
    kind = sniff(path)
    if kind != "tf_checkpoint":  # whose data file is found by its name
        path = path.rename(path.with_name("renamed.bin"))
    assert read_file(path).keys() == ARRAYS.keys()


@pytest.mark.parametrize("name", ["torch.pth", "legacy.pth", "a.safetensors", "a.npz", "a.index"])
@fuzzing
@given(data=st.data())
def test_damage_is_an_error_and_never_a_crash(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """Cut short, or some bytes changed: what is read then is whole, or there is a `WeightsError`."""
    for file, content in sample_files().items():
        (tmp_path / file).write_bytes(content)
    whole = sample_files()[name]
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=6)):
        if damaged:
            damaged[place] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy and zipfile remark on odd headers
        try:
            found = read_file(tmp_path / name)
        except WeightsError:
            return
    assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())


@fuzzing
@given(content=st.binary(max_size=300))
def test_noise_is_an_error_and_never_a_crash(tmp_path: Path, content: bytes) -> None:
    for prefix in (b"", b"PK\x03\x04", b"\x80\x02", b"\x08\0\0\0\0\0\0\0{"):
        (tmp_path / "noise").write_bytes(prefix + content)
        with pytest.raises(WeightsError):
            read_file(tmp_path / "noise")
    (tmp_path / "noise").write_bytes(content + 0xDB4775248B80FB57.to_bytes(8, "little"))
    with pytest.raises(WeightsError):
        read_file(tmp_path / "noise")
