"""A results folder, on a disk or behind any fsspec address; every object is put whole or not at all.

::

    DIR/cells/CELL/cell.json                       what the cell is (`bench.record.Cell`)
    DIR/cells/CELL/START-STOP.CHECKSUM.parquet     the records of the unit [START, STOP)
    DIR/cells/CELL/START-STOP.incomplete.CHECKSUM.parquet    the same where images could not be read: to be done again
    DIR/cells/CELL/START-STOP.measurement.CHECKSUM.parquet   what was measured of the unit as a whole, if anything
    DIR/cells/CELL/reliability.json                under attack: whether the number can be believed, and why
    DIR/models/MODEL.json                          what each model is (`bench.known_models`)
    DIR/runs/RUN/run.json                          one invocation: everything needed to repeat it

The checksum in a part's name is of its bytes, so a part cut short or bit-flipped is known and its unit is done again.
A measurement is put before the records, whose metadata name it: where records stand, their measurement stands.
"""

import errno
import hashlib
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import StoreError
from bench.record import Cell, UnitKey, misfit, record_fields
from model_zoo.schema import loads

RELIABILITY = "reliability.json"

LARGEST = 1 << 30
"""Bytes of an object, at most."""

LARGEST_PART = 1 << 28
"""Bytes in memory of the records of a unit, at most."""

_MEASUREMENT = b"measurement"
"""Key of the records' metadata under which the checksum of their measurement stands."""

_INCOMPLETE = "incomplete"
"""In the name of a part with images that could not be read for a reason that can pass."""

_PART = re.compile(r"(\d+)-(\d+)\.([0-9a-f]{16})\.parquet")


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@dataclass(frozen=True)
class BadPart:
    """A stored object that is not what its name promises."""

    key: str
    problem: str


class Store:
    """Objects by key under one address. Local writes go to a temporary name and are renamed; elsewhere one put."""

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        try:
            self.fs, self.root = _opened(self.address)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"{self.address}: {error}; s3:// needs pip install 'robust-imagenet-bench[s3]', "
                "other addresses the package of fsspec that serves them"
            ) from error
        self.local = Path(self.root) if "file" in _protocols(self.fs) else None

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`. Raises `StoreError` if it cannot be written; nothing half-written remains."""
        try:
            if self.local is None:
                self.fs.pipe_file(f"{self.root}/{key}", data)
            else:
                _put_file(self.local / key, data)
        except self._failures as error:
            raise StoreError(
                f"cannot write {self.address}/{key}: {getattr(error, 'strerror', None) or error}; "
                "free space or choose another --out, then repeat the same command: it continues"
            ) from error

    def get(self, key: str) -> bytes:
        """The bytes under `key`. Raises `StoreError` if there are none."""
        try:
            data: bytes = self.fs.cat_file(f"{self.root}/{key}") if self.local is None else _get_file(self.local, key)
        except self._failures as error:
            raise StoreError(f"cannot read {self.address}/{key}: {error}") from error
        return data

    def names(self, prefix: str) -> list[str]:
        """Names directly under `prefix`, sorted; empty where there is nothing."""
        try:
            if self.local is not None:  # fsspec takes ten times as long, and a folder has thousands of cells
                return sorted(path.name for path in _folder(self.local, prefix).iterdir() if path.name[0] != ".")
            self.fs.invalidate_cache()
            found = self.fs.ls(f"{self.root}/{prefix}".rstrip("/"), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except self._failures as error:
            raise StoreError(f"cannot list {self.address}/{prefix}: {error}") from error
        return sorted(Path(name).name for name in found if not Path(name).name.startswith("."))

    def remove(self, key: str) -> None:
        """Delete the object under `key`, if it is there. Raises `StoreError` if it cannot be deleted."""
        try:
            self.fs.rm_file(f"{self.root}/{key}")
        except FileNotFoundError:
            return
        except self._failures as error:
            raise StoreError(f"cannot delete {self.address}/{key}: {error}") from error

    @property
    def _failures(self) -> type[Exception]:
        """What reading and writing raise: network libraries have errors of their own that are no `OSError`."""
        return OSError if self.local is not None else Exception


def _protocols(fs: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _opened(address: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of an address; what names none is a folder here, whatever characters it has."""
    if "://" in address:
        fs, root = fsspec.core.url_to_fs(address)
        return fs, str(root)
    return fsspec.filesystem("file"), str(Path(address).expanduser().absolute())


def _put_file(path: Path, data: bytes) -> None:
    """Write it under another name, with the rights that the umask leaves, and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _folder(root: Path, prefix: str) -> Path:
    """The folder `prefix` of a results folder. Raises `NotADirectoryError` where a link would lead out of it."""
    place = root
    for part in filter(None, prefix.split("/")):
        place = place / part
        if not stat.S_ISDIR(place.lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder of its own", str(place))
    return place


def _get_file(root: Path, key: str) -> bytes:
    """The bytes of a regular file: no link is followed, no pipe waited for, no device read without end."""
    folder, _, name = key.rpartition("/")
    path = _folder(root, folder) / name
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a link, pipe or device, where results folders hold regular files; remove it")
    if found.st_size > LARGEST:
        raise OSError(errno.EFBIG, f"{found.st_size} bytes, where no object has more than {LARGEST}")
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        return file.read(LARGEST)


def put_cell(store: Store, cell: Cell) -> None:
    """Write what the cell is, unless it stands there already, undamaged."""
    try:
        read_cell(store, cell.id)
    except StoreError:
        store.put(f"cells/{cell.id}/cell.json", cell.to_json().encode())


def put_part(
    store: Store, cell: Cell, unit: UnitKey, table: pa.Table, measurement: pa.Table | None = None, *, whole: bool = True
) -> None:
    """Write the records of one unit as one object, and before it what was measured of the unit as a whole.

    Not `whole`, because images could not be read for a reason that can pass, it counts as not done.
    """
    if measurement is not None and whole:
        data = _parquet(measurement)
        store.put(_measurement_key(cell.id, unit, _checksum(data)), data)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _MEASUREMENT: _checksum(data)})
    data = _parquet(table)
    kind = "" if whole else f"{_INCOMPLETE}."
    store.put(f"cells/{cell.id}/{unit.start:08d}-{unit.stop:08d}.{kind}{_checksum(data)}.parquet", data)


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _measurement_key(cell_id: str, unit: UnitKey, checksum: str) -> str:
    return f"cells/{cell_id}/{unit.start:08d}-{unit.stop:08d}.measurement.{checksum}.parquet"


def part_names(store: Store, cell_id: str) -> dict[UnitKey, str]:
    """Names of the cell's parts by unit; the first by name where two drivers wrote the same unit."""
    found: dict[UnitKey, str] = {}
    for name in store.names(f"cells/{cell_id}"):
        if match := _PART.fullmatch(name):
            found.setdefault(UnitKey(int(match[1]), int(match[2])), name)
    return found


def incomplete_names(store: Store, cell_id: str) -> dict[UnitKey, str]:
    """Names of the parts that are to be done again, of units that have no whole one; the last by name of each."""
    whole = part_names(store, cell_id)
    found: dict[UnitKey, str] = {}
    for name in store.names(f"cells/{cell_id}"):
        match = _PART.fullmatch(name.replace(f".{_INCOMPLETE}.", ".", 1)) if _INCOMPLETE in name else None
        if match and (unit := UnitKey(int(match[1]), int(match[2]))) not in whole:
            found[unit] = name
    return found


def read_part(store: Store, cell_id: str, name: str) -> pa.Table | BadPart:
    """The records of one part, or what is wrong with it."""
    match = _PART.fullmatch(name.replace(f".{_INCOMPLETE}.", ".", 1))
    key = f"cells/{cell_id}/{name}"
    rows = int(match[2]) - int(match[1]) if match else 0
    part = _read(store, key, match[3] if match else "", rows)
    if isinstance(part, BadPart) or not (problem := misfit(part, record_fields(part))):
        return part
    return BadPart(key, f"no records: {problem}")


def read_measurement(store: Store, cell_id: str, unit: UnitKey, part: pa.Table) -> pa.Table | BadPart | None:
    """What was measured of the unit beside its records `part`, or what is wrong with it; None if nothing was."""
    checksum = (part.schema.metadata or {}).get(_MEASUREMENT)
    if checksum is None:
        return None
    key = _measurement_key(cell_id, unit, checksum.decode("ascii", "replace"))
    if key.rpartition("/")[2] not in store.names(f"cells/{cell_id}"):
        return BadPart(key, "it is missing, though the unit's records name it")
    return _read(store, key, checksum.decode("ascii", "replace"))


def _read(store: Store, key: str, checksum: str, rows: int | None = None) -> pa.Table | BadPart:
    try:
        data = store.get(key)
    except StoreError as error:
        return BadPart(key, str(error))
    if _checksum(data) != checksum:
        return BadPart(key, "its bytes do not match the checksum in its name (cut short or altered)")
    try:
        return _table(key, data, rows)
    except (pa.ArrowException, OSError) as error:
        return BadPart(key, f"not a Parquet file: {error}")


def _table(key: str, data: bytes, rows: int | None) -> pa.Table | BadPart:
    """The table in a Parquet file, unless it would fill the memory: a few kB can say one long text a million times."""
    file = pq.ParquetFile(io.BytesIO(data))
    count = file.metadata.num_rows
    size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
    if rows is not None and count != rows:
        return BadPart(key, f"{count} records for {rows} images")
    if size > LARGEST_PART:
        return BadPart(key, f"{size} bytes of records, where no unit has more than {LARGEST_PART}")
    if size * count <= LARGEST_PART:  # though each row held all that the file does
        return file.read(use_threads=False)  # a third of read_table's time
    texts = [field.name for field in file.schema_arrow if field.type in (pa.string(), pa.binary())]
    table = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts).read(use_threads=False)
    if sum(_spelt_out(table.column(name)) for name in texts) > LARGEST_PART:
        return BadPart(key, f"texts of more than {LARGEST_PART} bytes")
    return table.cast(file.schema_arrow)


def _spelt_out(column: pa.ChunkedArray) -> int:
    """Bytes that a column of repeated texts takes at most when each is written out."""
    longest = [
        max((len(text) for text in chunk.dictionary.cast(pa.binary()).to_pylist() if text), default=0)
        for chunk in column.chunks
    ]
    return sum(length * len(chunk) for length, chunk in zip(longest, column.chunks, strict=True))


def sound_parts(store: Store, cell_id: str) -> set[UnitKey]:
    """Units of the cell whose part is there and whole; damaged parts are removed, so that their unit is done again."""
    return {unit for unit, _ in read_sound_parts(store, cell_id)}


def read_sound_parts(store: Store, cell_id: str) -> Iterator[tuple[UnitKey, pa.Table]]:
    """The same with their records."""
    for unit, name in part_names(store, cell_id).items():
        part = read_part(store, cell_id, name)
        damaged = isinstance(part, BadPart) or part.num_rows != unit.stop - unit.start
        if damaged or isinstance(read_measurement(store, cell_id, unit, part), BadPart):
            store.remove(f"cells/{cell_id}/{name}")
        else:
            yield unit, part


def read_cell(store: Store, cell_id: str) -> Cell:
    """What the cell is. Raises `StoreError` if its description is damaged."""
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
    """Ids of all cells that have a description."""
    for name in store.names("cells"):
        if "cell.json" in store.names(f"cells/{name}"):
            yield name


def is_sound(key: str, data: bytes) -> bool:
    """Whether an object is what its key promises: bytes of the checksum in its name, or a description that is one."""
    name = key.rpartition("/")[2]
    if name.endswith(".parquet"):
        return _checksum(data) == name.split(".")[-2]
    try:
        found = loads(data)
        return key.split("/")[1] == Cell.from_json(data.decode()).id if name == "cell.json" else bool(found)
    except ValueError:
        return False
