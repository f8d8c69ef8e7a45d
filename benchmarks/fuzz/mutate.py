"""Mutations that make valid inputs hostile: each function takes a random generator and samples and returns one input.

Besides plain damage, some mutations keep checksums, lengths and containers valid, like an attacker, to reach the code
behind these checks.
"""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Mutation = Callable[[random.Random, Sequence[bytes]], bytes]

TEXTS = (
    "",
    "../../x",
    "/etc/passwd",
    "\x00",
    "=1+1",
    "<script>alert(1)</script>",
    "x" * 300,
    "\u202e",
    "\ud800",
    "nan",
    "a\nb",
    "9" * 5000,
    "1e999",
    "-1",
    "²",
    "file:evil.py:make",
    "[/x]",
    "{{7*7}}",
    "\x1b]0;x\x07",
    "os.system",
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.5, -0.0, float("nan"), float("inf"), 1e308)
NUMBER_BYTES = (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\xff" * 8, b"\xff" * 7 + b"\x7f")


def damage(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Cut, flip, overwrite, insert, delete, repeat or splice bytes; mostly once, sometimes often."""
    data = bytearray(rng.choice(samples))
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        stop = min(len(data), at + rng.choice((1, 2, 4, 16, 200)))
        match rng.randrange(8):
            case 0:
                del data[at:]
            case 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                data[at:stop] = rng.randbytes(stop - at)
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 20))
            case 4:
                del data[at:stop]
            case 5:
                data[at:at] = data[at:stop]
            case 6:
                number = rng.choice(NUMBER_BYTES)
                data[at : at + len(number)] = number
            case 7:
                other = rng.choice(samples)
                data[at:] = other[rng.randrange(len(other) + 1) :]
    return bytes(data)


def noise(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return random bytes after the beginning of a sample, if there is one."""
    start = rng.choice(samples)[: rng.choice((0, 4, 8, 16))]
    return start + rng.randbytes(rng.randrange(300))


def value(rng: random.Random, depth: int = 2) -> Any:
    """Return a random JSON value, mostly an invalid one."""
    match rng.randrange(7 if depth else 5):
        case 0:
            return rng.choice((None, True, False))
        case 1 | 2:
            return rng.choice(NUMBERS)
        case 3 | 4:
            return rng.choice(TEXTS)
        case 5:
            return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
        case _:
            return {rng.choice(TEXTS): value(rng, depth - 1) for _ in range(rng.randrange(3))}


def tree(rng: random.Random, content: Any) -> Any:
    """Return `content` with one branch replaced, dropped, renamed, doubled or extended."""
    if isinstance(content, dict) and content and rng.random() < 0.9:
        key, changed = rng.choice(list(content)), dict(content)
        match rng.randrange(8):
            case 0:
                del changed[key]
            case 1:
                changed[rng.choice(TEXTS)] = changed.pop(key)
            case 2:
                changed[rng.choice(TEXTS)] = value(rng)
            case _:
                changed[key] = tree(rng, content[key])
        return changed
    if isinstance(content, list) and content and rng.random() < 0.9:
        at, items = rng.randrange(len(content)), list(content)
        match rng.randrange(6):
            case 0:
                del items[at]
            case 1:
                items.append(items[at])
            case _:
                items[at] = tree(rng, items[at])
        return items
    return value(rng)


def json_tree(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return valid JSON with invalid content; sometimes nested too deeply or also damaged."""
    content = json.loads(rng.choice(samples))
    for _ in range(rng.choice((1, 1, 2, 5))):
        content = tree(rng, content)
    text = _dumps(content)
    if rng.random() < 0.03:
        deep = rng.choice(("[", '{"a":')) * rng.choice((500, 5000, 100_000))
        text = text.replace("1", deep, 1) if rng.random() < 0.5 else deep
    data = text.encode("utf-8", "surrogatepass")
    return damage(rng, [data]) if rng.random() < 0.2 else data


def _dumps(content: Any) -> str:
    try:
        return json.dumps(content, ensure_ascii=random.random() < 0.5)
    except ValueError:  # a number with more digits than Python writes
        return "9" * 6000


def lines(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return text with some lines or fields replaced, dropped, doubled or extended."""
    rows = rng.choice(samples).decode().split("\n")
    for _ in range(rng.choice((1, 2, 5))):
        at = rng.randrange(len(rows))
        separator = rng.choice((",", " ", "=", "\t"))
        fields = rows[at].split(separator)
        place = rng.randrange(len(fields))
        match rng.randrange(6):
            case 0:
                del fields[place]
            case 1:
                fields.insert(place, rng.choice(TEXTS))
            case 2:
                rows.insert(at, rows[at])
            case 3:
                fields[place] = rng.choice(('"', "'" * 3, '"' * 3, "[" * 5000, "x" * 200_000, "{a=" * 3000))
            case _:
                fields[place] = str(rng.choice((*TEXTS, *NUMBERS[:8])))
        rows[at] = separator.join(fields)
    return "\n".join(rows).encode("utf-8", "surrogatepass")


def zipped(inner: Mutation) -> Mutation:
    """Return a mutation that applies `inner` to one member of a zip and corrects checksums and lengths."""

    def mutate(rng: random.Random, samples: Sequence[bytes]) -> bytes:
        with zipfile.ZipFile(io.BytesIO(rng.choice(samples))) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(sorted(members))
        pickles = [key for key in members if key.endswith("data.pkl")]
        name = pickles[0] if pickles and rng.random() < 0.7 else name
        members[name] = inner(rng, [members[name] or b"\0"])
        if rng.random() < 0.1:
            members["x" + rng.choice(TEXTS).encode("utf-8", "replace").decode()[:60]] = rng.randbytes(9)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for key, content in members.items():
                archive.writestr(key, content)
        return out.getvalue()

    return mutate


def npy_header(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return a .npy file with a wrong type, shape or length in its header."""
    import numpy as np

    data = rng.choice(samples)
    dtype = rng.choice(
        ("<f4", "<f8", "|O", "<U9", "<f4,<f4", "<c16", "|V3", "<M8[s]", "|b1", "<f16", ">f4", "<f2", "<u8")
    )
    shape = tuple(rng.choice((0, 1, 3, 10**6, 10**9, 10**12, 2**62, 2**63, -1)) for _ in range(rng.randrange(5)))
    text = f"{{'descr': {dtype!r}, 'fortran_order': {rng.choice((True, False, 7))}, 'shape': {shape}, }}"
    if rng.random() < 0.2:
        text = rng.choice(("(" * 500, "__import__('os').system('x')", "{'descr': '<f4'}", text[:-3]))
    header = text.encode().ljust(118) + b"\n"
    del np
    return data[:8] + struct.pack("<H", len(header)) + header + data[-rng.randrange(1, 60) :]


def safetensors_header(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return a safetensors file with another header of correct length."""
    data = rng.choice(samples)
    size = int.from_bytes(data[:8], "little")
    header = json_tree(rng, [data[8 : 8 + size]])
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def tar_header(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return a tar with changed fields in one header and a correct checksum."""
    data = bytearray(rng.choice(samples))
    headers = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    for at in rng.sample(headers, min(len(headers), rng.choice((1, 1, 3)))):
        for _ in range(rng.choice((1, 2))):
            start, size = rng.choice(((0, 100), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155)))
            filling = rng.choice(
                (
                    rng.randbytes(size),
                    rng.choice(TEXTS).encode("utf-8", "surrogatepass"),
                    b"\xff" * size,
                    b"\x80" + b"\0" * 7 + b"\x7f" * 4,
                    b"%011o" % rng.randrange(2**33),
                    rng.choice((b"L", b"x", b"g", b"S", b"2", b"K")),
                )
            )
            data[at + start : at + start + size] = filling[:size].ljust(size, b"\0")
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


def png_chunk(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return a PNG with one changed chunk and a correct checksum: any size, depth and colour type."""
    data = rng.choice([sample for sample in samples if sample.startswith(b"\x89PNG")])
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    place = rng.randrange(len(chunks))
    kind, content = chunks[place]
    if kind == b"IHDR" or rng.random() < 0.3:
        place, kind = 0, b"IHDR"
        sides = [rng.choice((0, 1, 48, 20_000, 65_535, 2**31 - 1, 2**32 - 1)) for _ in range(2)]
        content = struct.pack(">II", *sides) + bytes(rng.choice((0, 1, 2, 3, 4, 6, 8, 16)) for _ in range(5))
    else:
        kind = rng.choice((kind, b"zTXt", b"iTXt", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"iCCP"))
        content = damage(rng, [content or b"\0"])
        content = b"key\0\0" + zlib.compress(bytes(3_000_000)) if rng.random() < 0.1 else content
    chunks[place] = (kind, content)
    body = b"".join(len(c).to_bytes(4, "big") + k + c + zlib.crc32(k + c).to_bytes(4, "big") for k, c in chunks)
    return data[:8] + body


def parquet_table(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return a valid Parquet file with other columns, types, rows or metadata."""
    table = pq.read_table(io.BytesIO(rng.choice(samples)))
    for _ in range(rng.choice((1, 1, 2))):
        if not table.num_columns:
            break
        at = rng.randrange(table.num_columns)
        name, rows = table.column_names[at], table.num_rows
        match rng.randrange(8):
            case 0:
                table = table.remove_column(at)
            case 1:
                table = table.rename_columns(
                    [*table.column_names[:at], rng.choice(TEXTS[1:7]), *table.column_names[at + 1 :]]
                )
            case 2 | 3:
                column = rng.choice(
                    (
                        pa.nulls(rows),
                        pa.array([None] * rows, table.schema.field(at).type),
                        pa.array([["x"]] * rows),
                        pa.array([b"\xff\xfe"] * rows),
                        pa.array([{"bytes": b"x", "path": None}] * rows),
                        pa.array([2**62] * rows),
                        pa.array([-7] * rows, pa.int32()),
                        pa.array(["x"] * rows),
                        pa.array([float("nan")] * rows),
                        pa.array([rng.choice(TEXTS[:18]).encode("utf-8", "replace").decode()] * rows),
                    )
                )
                table = table.set_column(at, name, column)
            case 4:
                invalid = pa.Array.from_buffers(
                    pa.string(),
                    rows,
                    [None, pa.py_buffer(struct.pack(f"<{rows + 1}i", *range(rows + 1))), pa.py_buffer(b"\xff" * rows)],
                )
                table = table.set_column(at, name, invalid)
            case 5:
                table = table.append_column(name, table.column(at))
            case 6:
                table = table.slice(0, rng.randrange(rows + 1))
            case 7:
                keys = (b"pandas", b"ARROW:schema", b"measurement", b"x")
                texts = (
                    b"{}",
                    b"[]",
                    b'{"index_columns": ["nothing"], "columns": []}',
                    b"\xff",
                    b"../../x",
                    b"[" * 9999,
                )
                table = table.replace_schema_metadata({rng.choice(keys): rng.choice(texts)})
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=max(1, table.num_rows // 2))
    data = out.getvalue()
    return damage(rng, [data]) if rng.random() < 0.1 else data


def of(*mutations: Mutation) -> Mutation:
    """Return a mutation that applies a random one of `mutations`."""
    return lambda rng, samples: rng.choice(mutations)(rng, samples)
