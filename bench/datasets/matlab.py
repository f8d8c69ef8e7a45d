"""The one MATLAB file that is read here, the ILSVRC2012 devkit's meta.mat: a struct array of numbers and texts.

Format: MathWorks, "MAT-File Level 5 File Format". Not `scipy.io.loadmat`: its compiled reader crashes on damaged files.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

HEADER = 128
MOST_BYTES = 64 << 20
"""That a compressed element may hold; the devkit's holds one megabyte."""

_FORMATS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q", 16: "B"}
"""Numeric element types; 16 is UTF-8, a byte at a time."""
_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR = 2, 4

Value = str | tuple[float, ...] | None
"""A text, numbers, or what is left out: structs within structs, cells, sparse matrices."""


@dataclass(frozen=True)
class _Element:
    kind: int
    data: bytes

    def numbers(self) -> tuple[float, ...]:
        form = _FORMATS[self.kind]
        count = len(self.data) // struct.calcsize(form)
        return struct.unpack(f"<{count}{form}", self.data[: count * struct.calcsize(form)])


def read_structs(content: bytes, name: str) -> list[dict[str, Value]]:
    """Read the elements of the struct array called `name` in a file's content, by field.

    Raises `ValueError` for any other file.
    """
    if content[126:128] != b"IM":
        raise ValueError("not a little-endian MATLAB file of level 5")
    try:
        for element in _elements(content[HEADER:]):
            if (found := _structs(element, name)) is not None:
                return found
    except (KeyError, IndexError, struct.error, zlib.error, StopIteration) as error:
        raise ValueError(f"damaged or ends early: {error!r}") from None
    raise ValueError(f"no struct array {name!r}")


def _elements(data: bytes) -> Iterator[_Element]:
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind >> 16:  # the small form: two bytes each of size and kind, four of data
            yield _Element(kind & 0xFFFF, data[at + 4 : at + 4 + (kind >> 16)])
            at += 8
            continue
        if at + 8 + size > len(data):
            raise ValueError("an element reaches past the end")
        content = data[at + 8 : at + 8 + size]
        at += 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        yield _Element(kind, content) if kind != _COMPRESSED else next(_elements(_expanded(content)))


def _expanded(content: bytes) -> bytes:
    expanded = zlib.decompressobj().decompress(content, MOST_BYTES)
    if len(expanded) == MOST_BYTES:
        raise ValueError(f"a compressed element of more than {MOST_BYTES} bytes")
    return expanded


def _structs(element: _Element, wanted: str) -> list[dict[str, Value]] | None:
    """None where `element` is another variable."""
    if element.kind != _MATRIX:
        return None
    flags, _, name, *rest = _elements(element.data)
    if name.data.decode("latin-1") != wanted or flags.data[0] != _STRUCT:
        return None
    width, names, *values = rest
    size = int(width.numbers()[0])
    if not 0 < size <= 64:
        raise ValueError(f"field names of {size} bytes")
    fields = [names.data[i : i + size].split(b"\0")[0].decode("latin-1") for i in range(0, len(names.data), size)]
    if not fields or len(values) % len(fields):
        raise ValueError(f"{len(values)} values of {len(fields)} fields")
    rows = range(0, len(values), len(fields))
    return [dict(zip(fields, map(_value, values[row : row + len(fields)]), strict=True)) for row in rows]


def _value(element: _Element) -> Value:
    if element.kind != _MATRIX or not element.data:
        return None
    flags, _, _, *parts = _elements(element.data)
    kind = flags.data[0]
    if not parts or parts[0].kind not in _FORMATS:
        return None
    numbers = parts[0].numbers()
    return "".join(chr(int(n)) for n in numbers if 0 < n < 0x10000) if kind == _CHAR else numbers
