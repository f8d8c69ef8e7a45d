"""The description of a cell and its records, with one part per unit of work; written and read only here.

The checksum in a part's name is of its bytes, so a truncated or altered part is detected and its unit is repeated. A
measurement is stored before the records, and the records' metadata name it: if records exist, their measurement exists.
"""

import hashlib
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import StoreError
from bench.record import Cell, UnitKey, misfit, record_fields
from bench.store import NoObjectError, Store
from model_zoo.schema import loads

LARGEST_PART = 1 << 28
"""Maximum size in memory of a unit's records, in bytes."""

_MEASUREMENT = b"measurement"
"""Metadata key of the records with the checksum of their measurement."""

_INCOMPLETE = "incomplete"
"""Mark in the name of a part with images that could not be read for a temporary reason."""

_UNREADABLE = (pa.ArrowException, OSError, ValueError)
"""Errors that pyarrow raises for a damaged file; names that are not UTF-8 raise `UnicodeDecodeError`."""

_PART = re.compile(r"(\d+)-(\d+)\.([0-9a-f]{16})\.parquet")


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@dataclass(frozen=True)
class BadPart:
    """A stored object that does not match its name."""

    key: str
    problem: str


def put_cell(store: Store, cell: Cell) -> None:
    """Write the cell's description, unless an undamaged one exists."""
    try:
        read_cell(store, cell.id)
    except StoreError:
        store.put(f"cells/{cell.id}/cell.json", cell.to_json().encode())


def put_part(
    store: Store, cell: Cell, unit: UnitKey, table: pa.Table, measurement: pa.Table | None = None, *, whole: bool = True
) -> str:
    """Write the records of one unit as one object, after the measurement of the unit as a whole, if any; return its
    name. A part that is not `whole`, since images could not be read for a temporary reason, counts as not done."""
    if measurement is not None and whole:
        data = _parquet(measurement)
        store.put(_measurement_key(cell.id, unit, _checksum(data)), data)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _MEASUREMENT: _checksum(data)})
    data = _parquet(table)
    kind = "" if whole else f"{_INCOMPLETE}."
    name = f"{unit.start:08d}-{unit.stop:08d}.{kind}{_checksum(data)}.parquet"
    store.put(f"cells/{cell.id}/{name}", data)
    return name


def replace_part(store: Store, cell: Cell, unit: UnitKey, old: str, table: pa.Table) -> None:
    """Write records of a unit with new metadata, replacing the part called `old`."""
    if put_part(store, cell, unit, table) != old:  # what is written may be just what stands there
        remove_part(store, cell, old)


def remove_part(store: Store, cell: Cell, name: str) -> None:
    """Delete a part, so that its unit is repeated."""
    store.remove(f"cells/{cell.id}/{name}")


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _measurement_key(cell_id: str, unit: UnitKey, checksum: str) -> str:
    return f"cells/{cell_id}/{unit.start:08d}-{unit.stop:08d}.measurement.{checksum}.parquet"


@dataclass(frozen=True)
class CellFiles:
    """The contents of a cell's folder: `parts` by unit, the first by name if two drivers wrote the same unit; for
    units without one, the last `incomplete` part by name, to be repeated; and the `names` of all objects."""

    parts: dict[UnitKey, str]
    incomplete: dict[UnitKey, str]
    names: Collection[str]

    @classmethod
    def of(cls, store: Store, cell_id: str) -> "CellFiles":
        """List the folder once."""
        parts: dict[UnitKey, str] = {}
        incomplete: dict[UnitKey, str] = {}
        names = store.names(f"cells/{cell_id}")
        for name in names:
            if match := _PART.fullmatch(name):
                parts.setdefault(UnitKey(int(match[1]), int(match[2])), name)
            elif _INCOMPLETE in name and (match := _PART.fullmatch(name.replace(f".{_INCOMPLETE}.", ".", 1))):
                incomplete[UnitKey(int(match[1]), int(match[2]))] = name
        return cls(parts, {unit: name for unit, name in incomplete.items() if unit not in parts}, frozenset(names))

    @property
    def in_order(self) -> list[tuple[UnitKey, str]]:
        """The parts by their first image."""
        return sorted(self.parts.items(), key=lambda item: (item[0].start, item[0].stop))


def part_names(store: Store, cell_id: str) -> dict[UnitKey, str]:
    """Return the names of the cell's parts by unit; the first by name if two drivers wrote the same unit."""
    return CellFiles.of(store, cell_id).parts


def read_part(store: Store, cell_id: str, name: str) -> pa.Table | BadPart:
    """Return the records of one part, or its damage."""
    match = _PART.fullmatch(name.replace(f".{_INCOMPLETE}.", ".", 1))
    key = f"cells/{cell_id}/{name}"
    rows = int(match[2]) - int(match[1]) if match else 0
    try:
        part = _read(store, key, match[3] if match else "", rows)
    except NoObjectError as error:
        return BadPart(key, str(error))
    if isinstance(part, BadPart) or not (problem := misfit(part, record_fields(part))):
        return part
    return BadPart(key, f"no records: {problem}")


def read_schema(store: Store, cell_id: str, name: str) -> pa.Schema:
    """Return the columns of one part and its metadata. Raises `StoreError` or `ValueError` if it is damaged."""
    try:
        return pq.read_schema(io.BytesIO(store.get(f"cells/{cell_id}/{name}")))
    except _UNREADABLE as error:
        raise ValueError(str(error)) from None


def read_measurement(store: Store, cell_id: str, unit: UnitKey, part: pa.Table) -> pa.Table | BadPart | None:
    """Return the measurement of the unit beside its records `part`, or its damage; None if there is none."""
    checksum = (part.schema.metadata or {}).get(_MEASUREMENT)
    if checksum is None:
        return None
    key = _measurement_key(cell_id, unit, checksum.decode("ascii", "replace"))
    try:
        return _read(store, key, checksum.decode("ascii", "replace"))
    except NoObjectError:
        return BadPart(key, "it is missing, though the unit's records name it")


def _read(store: Store, key: str, checksum: str, rows: int | None = None) -> pa.Table | BadPart:
    """Return the table under `key`, or its damage. Raises `NoObjectError` if there is none."""
    try:
        data = store.get(key)
    except NoObjectError:
        raise
    except StoreError as error:
        return BadPart(key, str(error))
    if _checksum(data) != checksum:
        return BadPart(key, "its bytes do not match the checksum in its name (cut short or altered)")
    try:
        return _table(key, data, rows)
    except _UNREADABLE as error:
        return BadPart(key, f"not a Parquet file: {error}")


def _table(key: str, data: bytes, rows: int | None) -> pa.Table | BadPart:
    """Read the table in a Parquet file, unless it would fill the memory: a few kB can repeat one long text a million
    times."""
    file = pq.ParquetFile(
        pa.BufferReader(data), pre_buffer=False
    )  # a third of a read through Python's file and threads
    count = file.metadata.num_rows
    size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
    if rows is not None and count != rows:
        return BadPart(key, f"{count} records for {rows} images")
    if size > LARGEST_PART:
        return BadPart(key, f"{size} bytes of records, where no unit has more than {LARGEST_PART}")
    if size * count <= LARGEST_PART:  # though each row held all that the file does
        return file.read(use_threads=False)  # a third of read_table's time
    texts = [field.name for field in file.schema_arrow if field.type in (pa.string(), pa.binary())]
    table = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts).read(use_threads=False)
    if sum(_spelt_out(table.column(name)) for name in texts) > LARGEST_PART:
        return BadPart(key, f"texts of more than {LARGEST_PART} bytes")
    return table.cast(file.schema_arrow)


def _spelt_out(column: pa.ChunkedArray) -> int:
    """Return the maximum number of bytes of a column of repeated texts when each is written out."""
    longest = [
        max((len(text) for text in chunk.dictionary.cast(pa.binary()).to_pylist() if text), default=0)
        for chunk in column.chunks
    ]
    return sum(length * len(chunk) for length, chunk in zip(longest, column.chunks, strict=True))


def read_sound_part(store: Store, cell_id: str, unit: UnitKey, name: str) -> pa.Table | None:
    """Return the records of an undamaged part with its measurement; None for a damaged one."""
    part = read_part(store, cell_id, name)
    damaged = isinstance(part, BadPart) or part.num_rows != unit.stop - unit.start
    return None if damaged or isinstance(read_measurement(store, cell_id, unit, part), BadPart) else part


def read_cell(store: Store, cell_id: str) -> Cell:
    """Return the cell's description. Raises `StoreError` if it is damaged."""
    key = f"cells/{cell_id}/cell.json"
    try:
        cell = Cell.from_json(store.get(key).decode())
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{store.address}/{key}: damaged or of another version ({error}); "
            "repeat the run's command, which writes it anew, or merge with a folder that has it whole"
        ) from None
    if cell.id != cell_id:
        raise StoreError(f"{store.address}/{key}: describes cell {cell.id}, not {cell_id}; it was altered or moved")
    return cell


def cell_ids(store: Store) -> Iterator[str]:
    """Return the ids of all cells with a description."""
    for name in store.names("cells"):
        if "cell.json" in store.names(f"cells/{name}"):
            yield name


def is_sound(key: str, data: bytes) -> bool:
    """Return whether an object matches its key: its bytes have the checksum in its name, or it is a valid
    description."""
    name = key.rpartition("/")[2]
    if name.endswith(".parquet"):
        return _checksum(data) == name.split(".")[-2]
    try:
        found = loads(data)
        return key.split("/")[1] == Cell.from_json(data.decode()).id if name == "cell.json" else bool(found)
    except ValueError:
        return False
