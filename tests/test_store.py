"""The results folder: whole objects or none, found out when damaged, the same behind fsspec's memory file system."""

import dataclasses
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.engine.standing import Mend
from bench.errors import StoreError
from bench.parts import BadPart, part_names, put_cell, put_part, read_cell, read_part, read_sound_part, replace_part
from bench.record import Cell, Protocol, RecordColumns, UnitKey
from bench.store import NoObjectError, Store

PROTOCOL = Protocol("imagenet", "m", 4, "imagenet1k", "imagenet/clean", "canonical")
CELL = Cell("model", "f" * 64, {"size": 224, "mean": [0.5, 0.5, 0.5]}, PROTOCOL)


def table(n: int = 4) -> pa.Table:
    return RecordColumns([f"i{k}" for k in range(n)], [1] * n, [2] * n, [0.5] * n, [-1.0] * n, [None] * n).table()


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return Store(tmp_path)
    fsspec.filesystem("memory").store.clear()
    return Store("memory://results")


def test_what_is_put_is_read_back(store: Store) -> None:
    put_cell(store, CELL)
    put_part(store, CELL, UnitKey(0, 4), table())
    assert read_cell(store, CELL.id) == CELL
    ((unit, name),) = part_names(store, CELL.id).items()
    part = read_part(store, CELL.id, name)
    assert unit == UnitKey(0, 4)
    assert isinstance(part, pa.Table)
    assert part.equals(table())


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    put_part(store, CELL, UnitKey(0, 4), table())
    (name,) = part_names(store, CELL.id).values()
    path = Path(store.root) / "cells" / CELL.id / name
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << bit
    path.write_bytes(data)
    assert isinstance(read_part(store, CELL.id, name), BadPart)


def test_a_part_cut_short_is_removed_so_that_its_unit_is_done_again(store: Store) -> None:
    put_part(store, CELL, UnitKey(0, 4), table())
    put_part(store, CELL, UnitKey(4, 8), table())
    name = part_names(store, CELL.id)[UnitKey(0, 4)]
    store.put(f"cells/{CELL.id}/{name}", store.get(f"cells/{CELL.id}/{name}")[:50])
    names = part_names(store, CELL.id)
    sound = {unit for unit, name in names.items() if read_sound_part(store, CELL.id, unit, name) is not None}
    assert sound == {UnitKey(4, 8)}
    for unit, part in names.items():
        Mend(CELL, unit, part).carry_out(store)
    assert set(part_names(store, CELL.id)) == {UnitKey(4, 8)}, "what was mended since by another is left alone"


def test_a_part_in_place_of_an_equal_one_stays(store: Store) -> None:
    """As when two shards of a folder find the same to mend."""
    put_part(store, CELL, UnitKey(0, 4), table())
    old = part_names(store, CELL.id)[UnitKey(0, 4)]
    replace_part(store, CELL, UnitKey(0, 4), old, table())
    assert part_names(store, CELL.id) == {UnitKey(0, 4): old}
    replace_part(store, CELL, UnitKey(0, 4), old, table().replace_schema_metadata({"sample": "{}"}))
    (name,) = part_names(store, CELL.id).values()
    assert name != old


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left on device; free space or choose another --out"):
        Store(tmp_path).put("cells/x/part", b"data")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_an_altered_description_is_refused(store: Store) -> None:
    put_cell(store, CELL)
    other = dataclasses.replace(CELL, model="another")
    store.put(f"cells/{CELL.id}/cell.json", other.to_json().encode())
    with pytest.raises(StoreError, match="altered or moved"):
        read_cell(store, CELL.id)
    store.put(f"cells/{CELL.id}/cell.json", b"{")
    with pytest.raises(StoreError, match="damaged"):
        read_cell(store, CELL.id)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Protocol)])
def test_every_field_of_the_protocol_makes_another_protocol(name: str) -> None:
    changed = dataclasses.replace(PROTOCOL, **{name: 7 if name == "images" else "other"})
    assert changed.hash != PROTOCOL.hash
    other = dataclasses.replace(CELL, protocol=changed)
    assert (other.id == CELL.id) == (name == "content"), "which is known only when all images were read"


def test_a_name_that_no_file_can_have_is_of_none(tmp_path: Path) -> None:
    with pytest.raises(NoObjectError, match="cannot read"):
        Store(tmp_path).get("\ud800")
