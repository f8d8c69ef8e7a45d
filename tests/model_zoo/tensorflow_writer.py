"""Writes TensorFlow V2 checkpoints, by the formats' documents and not by the reader under test."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from model_zoo.formats.crc32c import masked_crc32c

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9}
RESTART_INTERVAL = 16


def write_checkpoint(prefix: Path, variables: Mapping[str, np.ndarray]) -> None:
    """Write `prefix`.index and `prefix`.data-00000-of-00001."""
    entries: dict[bytes, bytes] = {b"": number(1, 1)}  # the header: one shard, little-endian
    offset = 0
    with Path(f"{prefix}.data-00000-of-00001").open("wb") as data:
        for name, array in sorted(variables.items(), key=lambda item: item[0].encode()):
            raw = np.ascontiguousarray(array).tobytes()
            entries[name.encode()] = entry(array, offset, raw)
            data.write(raw)
            offset += len(raw)
    Path(f"{prefix}.index").write_bytes(table(entries))


def entry(array: np.ndarray, offset: int, raw: bytes) -> bytes:
    """A BundleEntryProto."""
    dims = b"".join(message(2, number(1, size)) for size in array.shape)
    checksum = varint(6 << 3 | 5) + masked_crc32c(raw).to_bytes(4, "little")
    place = (number(4, offset) if offset else b"") + number(5, len(raw))
    return number(1, DTYPES[str(array.dtype)]) + message(2, dims) + place + checksum


def table(entries: Mapping[bytes, bytes]) -> bytes:
    """A LevelDB table of several uncompressed data blocks."""
    written, index = b"", {}
    keys = sorted(entries)
    for first in range(0, len(keys), 50):
        part = keys[first : first + 50]
        index[part[-1]] = handle(len(written), content := block((k, entries[k]) for k in part))
        written += sealed(content)
    meta = handle(len(written), content := block([]))
    written += sealed(content)
    root = handle(len(written), content := block(index.items()))
    written += sealed(content)
    return written + (meta + root).ljust(40, b"\0") + 0xDB4775248B80FB57.to_bytes(8, "little")


def block(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Keys with shared prefixes, then the restart points."""
    out, restarts, before = b"", [], b""
    for place, (key, value) in enumerate(items):
        if place % RESTART_INTERVAL == 0:
            restarts.append(len(out))
            before = b""
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, key, strict=False)) if a != b), min(len(before), len(key))
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return out + b"".join(r.to_bytes(4, "little") for r in [*restarts, len(restarts)])


def sealed(content: bytes) -> bytes:
    return content + b"\0" + masked_crc32c(content + b"\0").to_bytes(4, "little")


def handle(offset: int, content: bytes) -> bytes:
    return varint(offset) + varint(len(content))


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
