"""TensorFlow V2 checkpoints without TensorFlow: `NAME.index`, a LevelDB table, and `NAME.data-00000-of-00001`.

Sources: leveldb's doc/table_format.md; tensorflow/core/protobuf/tensor_bundle.proto. Checksums are verified, so that an
index with another model's data is detected even if all shapes agree.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model_zoo.errors import WeightsError
from model_zoo.formats.crc32c import masked_crc32c
from model_zoo.formats.training_state import is_training_state

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_BLOCK_TRAILER = 5  # compression type (1 byte) and checksum (4 bytes)
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 19: "<f2"}
"""NumPy's dtype of each type in tensorflow/core/framework/types.proto that weights can have."""
_STRING = 7


@dataclass(frozen=True)
class TensorEntry:
    """One variable: dtype, shape, position in the data file and checksum."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int
    crc32c: int


def read(path: Path) -> dict[str, Tensor]:
    """Read all weights of the checkpoint whose index is at `path`, by variable name."""
    entries = {name: entry for name, entry in read_index(path).items() if not is_training_state(name)}
    data_path = data_file(path)
    if not data_path.is_file():
        raise WeightsError(f"{path}: expected the variables' bytes in {data_path}, which is missing")
    with data_path.open("rb") as data:
        total = data_path.stat().st_size
        found: dict[str, Tensor] = {}
        for name, entry in entries.items():
            if entry.offset + entry.size > total:
                raise WeightsError(
                    f"{data_path}: truncated or of another checkpoint: {name} ends at byte "
                    f"{entry.offset + entry.size}, the file at {total}; fetch it again"
                )
            data.seek(entry.offset)
            found[name] = _tensor(name, entry, data.read(entry.size), data_path)
        return found


def data_file(index: Path) -> Path:
    """Return the data file of an index file."""
    return index.with_name(index.name.removesuffix(".index") + ".data-00000-of-00001")


def _tensor(name: str, entry: TensorEntry, raw: bytes, path: Path) -> Tensor:
    if masked_crc32c(raw) != entry.crc32c:
        raise WeightsError(f"{path}: the bytes of {name} do not match the checksum in the index: damaged or swapped")
    array = np.frombuffer(raw, dtype=entry.dtype).reshape(entry.shape)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=True))


def read_index(path: Path) -> dict[str, TensorEntry]:
    """Read the variables that the index at `path` lists. Raises `WeightsError` for anything but a complete V2 index."""
    try:
        return _parse_index(path.read_bytes())
    except (IndexError, ValueError, KeyError, OverflowError, OSError) as error:
        raise WeightsError(f"{path}: not a readable TensorFlow V2 checkpoint index: {error}") from None


def _parse_index(table: bytes) -> dict[str, TensorEntry]:
    if len(table) < _FOOTER or int.from_bytes(table[-8:], "little") != _MAGIC:
        raise ValueError("it does not end as a LevelDB table does")
    footer = _Bytes(table, len(table) - _FOOTER)
    footer.handle()  # skips the meta-index, which is empty
    root = footer.handle()
    entries: dict[str, TensorEntry] = {}
    for _, value in _block(table, root):
        for key, record in _block(table, _Bytes(value).handle()):
            if not key:
                _check_header(record)
            elif _message(record).numbers.get(1) != _STRING:  # e.g. the object graph, without weights
                entries[key.decode("utf-8")] = _entry(key.decode("utf-8"), record)
    return entries


class _Handle(NamedTuple):
    offset: int
    size: int


@dataclass
class _Bytes:
    """Cursor over bytes that raises at their end."""

    data: bytes
    at: int = 0

    def varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number longer than 64 bits")

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def handle(self) -> _Handle:
        return _Handle(self.varint(), self.varint())


def _block(table: bytes, handle: _Handle) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of one block; each key is stored without its common prefix with the previous one."""
    end = handle.offset + handle.size
    if end + _BLOCK_TRAILER > len(table):
        raise ValueError("a block lies beyond its end")
    if table[end] != 0:
        raise ValueError("it is compressed, as TensorFlow never writes it")
    trailer = int.from_bytes(table[end + 1 : end + _BLOCK_TRAILER], "little")
    if masked_crc32c(table[handle.offset : end + 1]) != trailer:
        raise ValueError("a block does not match its checksum")
    restarts = int.from_bytes(table[end - 4 : end], "little")
    cursor = _Bytes(table[handle.offset : end - 4 * (restarts + 1)])
    key = b""
    while cursor.at < len(cursor.data):
        shared, unshared, size = cursor.varint(), cursor.varint(), cursor.varint()
        key = key[:shared] + cursor.take(unshared)
        yield key, cursor.take(size)


@dataclass(frozen=True)
class _Message:
    """Protobuf message: numbers by field (the last value counts) and nested messages by field."""

    numbers: dict[int, int]
    nested: dict[int, list[bytes]]


def _message(data: bytes) -> _Message:
    cursor, found = _Bytes(data), _Message({}, {})
    while cursor.at < len(data):
        field, wire = divmod(cursor.varint(), 8)
        match wire:
            case 0:
                found.numbers[field] = cursor.varint()
            case 1 | 5:
                found.numbers[field] = int.from_bytes(cursor.take(8 if wire == 1 else 4), "little")
            case 2:
                found.nested.setdefault(field, []).append(cursor.take(cursor.varint()))
            case _:
                raise ValueError(f"a protobuf field of unknown wire type {wire}")
    return found


def _check_header(record: bytes) -> None:
    """Check the BundleHeaderProto. Fields: num_shards = 1, endianness = 2 (0 is little)."""
    header = _message(record).numbers
    if header.get(1, 1) != 1:
        raise ValueError(f"its data is spread over {header[1]} shards, expected one")
    if header.get(2, 0) != 0:
        raise ValueError("its data is big-endian")


def _entry(name: str, record: bytes) -> TensorEntry:
    """Read a BundleEntryProto: dtype = 1, shape = 2, shard_id = 3, offset = 4, size = 5, crc32c = 6, slices = 7."""
    message = _message(record)
    if message.nested.get(7) or message.numbers.get(3, 0):
        raise ValueError(f"{name} is stored in slices or shards")
    dtype = message.numbers.get(1, 0)
    if dtype not in _DTYPES:
        raise ValueError(f"{name} has the type {dtype}, which no weight has")
    shape = tuple(_message(dim).numbers.get(1, 0) for part in message.nested.get(2, []) for dim in _dims(part))
    size = message.numbers.get(5, 0)
    if math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize != size:
        raise ValueError(f"{name} of shape {shape} cannot take {size} bytes")
    return TensorEntry(_DTYPES[dtype], shape, message.numbers.get(4, 0), size, message.numbers.get(6, 0))


def _dims(shape: bytes) -> list[bytes]:
    return _message(shape).nested.get(2, [])
