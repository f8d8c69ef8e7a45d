"""Cards, weights and oracles that were made to do harm: what `benchmarks/fuzz` found, one test each."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from model_zoo import cache, oracles
from model_zoo.build import build
from model_zoo.card import ModelCard, WeightFile, read_card
from model_zoo.errors import CardError, UnknownModelError, WeightsError, ZooError
from model_zoo.formats import read_file
from model_zoo.registry import ROOT, find_card
from model_zoo.schema import SchemaError, loads, parse

CARD = (ROOT / "sat/cards/sat_resnet50.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a\\x", "C:x", "nul\x00", ""])
def test_a_weights_file_lies_within_its_folder(name: str) -> None:
    with pytest.raises(CardError, match="path within its folder"):
        WeightFile(name)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "data:,x"])
def test_an_address_is_on_the_web(url: str) -> None:
    with pytest.raises(CardError, match="must be https"):
        WeightFile("w.pth", url)


@pytest.mark.parametrize("room", ["standard.from_file", "..os", "os path", ".registry"])
def test_a_card_names_no_module(tmp_path: Path, room: str) -> None:
    """`standard.from_file` with a path in `build` would run that file."""
    (tmp_path / "c.toml").write_text(f'room = "{room}"\n{CARD}', encoding="utf-8")
    with pytest.raises(CardError, match="must be a room of the zoo"):
        read_card(tmp_path / "c.toml")


@pytest.mark.parametrize("name", ["..", ".hidden", "a\u202eb", "a\x1b[2J", "nul\x00"])
def test_a_card_s_name_is_printable_and_no_hidden_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "c.toml").write_text(CARD.replace('"sat_resnet50"', json.dumps(name), 1), encoding="utf-8")
    with pytest.raises(CardError, match="name"):
        read_card(tmp_path / "c.toml")


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "9" * 5000, "mean = [nan, 0.0, 0.0]"])
def test_toml_that_is_too_deep_or_long_or_no_number_is_refused(tmp_path: Path, text: str) -> None:
    whole = CARD.replace("[input]", f"[input]\n{text}", 1) if "nan" in text else text
    (tmp_path / "c.toml").write_text(whole, encoding="utf-8")
    with pytest.raises(CardError, match=r"c\.toml"):
        read_card(tmp_path / "c.toml")


def npz(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", content)
    return path


def npy(header: str) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", "16 bytes for float32"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }", "16 bytes for float64"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "no plain numbers"),
        ("{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", "no plain numbers"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }", "16 bytes for"),
        ("(" * 90, "npz of plain arrays"),
        ("__import__('os').system('touch sprung')", "npz of plain arrays"),
    ],
)
def test_a_npy_header_gets_no_memory_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=says):
        read_file(npz(tmp_path / "w.npz", npy(header)))
    assert not (tmp_path / "sprung").exists()


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="npz of plain arrays"):
        read_file(npz(tmp_path / "w.npz", b"text"))


def test_byte_order_and_fortran_order_are_kept_right(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    np.savez(tmp_path / "w.npz", w=array)
    np.testing.assert_array_equal(read_file(tmp_path / "w.npz")["w"].numpy(), array)


def test_sparse_tensors_are_no_weights(tmp_path: Path) -> None:
    torch.save({"w": torch.eye(3).to_sparse()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="plain tensors"):
        read_file(tmp_path / "w.pth")


def test_a_length_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    """BINUNICODE8 of 2^40 bytes: Python's file objects would allocate them before they look."""
    content = b"\x80\x02\x8d" + (1 << 40).to_bytes(8, "little") + b"x."
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsError, match="not a PyTorch file") as error:
        read_file(tmp_path / "w.pth")
    assert "MemoryError" not in str(error.value)


def test_a_damaged_list_of_checksums_is_no_empty_one(tmp_path: Path) -> None:
    """Else any file would be taken for the one that was verified first."""
    (tmp_path / cache.SUMS).write_bytes(b"\xff" * 64 + b"  w.npz\n")
    with pytest.raises(WeightsError, match=r"damaged.*bench weights verify"):
        cache.recorded(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "timm:resnet50.no_such_tag",
        "file:nul\x00.py:make",
        f"file:{'x' * 5000}.py:make",
        "file:~nobody_here/n.py:make",
        "timm:../../x",
        "torchvision:<script>",
        "robustbench:\u202e",
        ":",
        "@",
        "../../etc/passwd",
        "=1+1",
    ],
)
def test_hostile_model_names_are_unknown_models(name: str) -> None:
    with pytest.raises(UnknownModelError):
        find_card(name)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"args": {}, "variables": {"w": [1e999]}}',
        '{"args": {}, "variables": {"w": [-1]}}',
        '{"args": {}, "variables": {"w": [99999999999999999999]}}',
        '{"args": {"repo": "sat", "depth": 50, "act": true, "arch": "r", "size": 224}, "variables": {}}',
        '{"args": {"model": "efficientnet-b0", "eps": 0.1, "size": 64, "width": 1e30}, "variables": {}}',
        '{"args": {"repo": "sat", "depth": 1e999, "act": "relu", "arch": "r", "size": 224}, "variables": {}}',
        '{"args": {"model": ["efficientnet-b0"], "eps": 0.1, "size": 64}, "variables": {}}',
        '{"args": {"model": "efficientnet-b0", "eps": 0.1, "size": 1e999}, "variables": {}}',
    ],
)
def test_an_oracle_that_describes_nothing_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(ZooError):
        build(oracles.oracle_card(oracles.read_oracle(tmp_path)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 4, 4), (2, 4, 4, 1)])
def test_an_oracle_s_pictures_have_four_dimensions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(oracles.OracleError, match="expected images"):
        oracles.images_of({"images_uint8_rgb_nhwc": np.zeros(shape, np.uint8)})


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "\ud800".encode("utf-8", "surrogatepass"), "9" * 5000])
def test_json_that_is_none_is_refused(text: str | bytes) -> None:
    with pytest.raises(SchemaError):
        loads(text)


def test_halves_of_characters_are_no_text() -> None:
    with pytest.raises(SchemaError, match="no Unicode text"):
        parse(str, loads('"\\ud800"'), "name")
    assert parse(str, loads('"\\ud83d\\ude00"'), "name") == "😀"


def test_a_pickle_within_a_pickle_is_not_run(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"w": pickle.dumps(print)}, buffer)
    (tmp_path / "w.pth").write_bytes(buffer.getvalue())
    assert read_file(tmp_path / "w.pth") == {}


def test_the_schema_is_the_card_s_types() -> None:
    with pytest.raises(SchemaError, match=r"card.reported\[0\].value must be a float"):
        parse(
            ModelCard,
            {
                "name": "a",
                "method": "sat",
                "architecture": "b",
                "input": {"size": 32, "resize": 32},
                "weights": {"format": "torch", "availability": "public", "licence": "x"},
                "reported": [{"metric": "accuracy", "value": "x", "source": "s"}],
            },
            "card",
        )
