"""CRC-32C (Castagnoli, RFC 3720 appendix B.4) with the mask of TensorFlow and LevelDB, vectorised with NumPy.

A message is split into equal pieces, whose checksums are computed in parallel and then joined: appending n bytes acts
on a checksum as a linear map over GF(2), stored in four tables of 256 entries.
"""

import functools

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_MAX_LANES = 1 << 14
_MIN_LANE = 64

Words = NDArray[np.uint32]


def _table(bits: int) -> Words:
    """Return what each value of the low `bits` of a checksum becomes after as many zero bits."""
    table = np.arange(1 << bits, dtype=np.uint32)
    for _ in range(bits):
        table = (table >> np.uint32(1)) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


_BYTES = _table(8).tolist()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`."""
    lanes = min(_MAX_LANES, len(data) // _MIN_LANE)
    crc = 0xFFFFFFFF
    if lanes > 1:
        length = len(data) // lanes & ~1
        crc = _join(crc, _lane_checksums(data, lanes, length), length)
        data = data[lanes * length :]
    for byte in data:
        crc = _BYTES[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C rotated right by 15 bits plus a constant, safe for data with checksums (leveldb, crc32c.h)."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _lane_checksums(data: bytes, lanes: int, length: int) -> Words:
    """Return raw checksums (initial value 0) of the first `lanes` pieces of `length` bytes, two bytes per step."""
    columns = np.ascontiguousarray(np.frombuffer(data, "<u2", lanes * length // 2).reshape(lanes, length // 2).T)
    table = _pair_table()
    crc = np.zeros(lanes, np.uint32)
    for column in columns:
        crc = table.take((crc ^ column).astype(np.uint16)) ^ (crc >> np.uint32(16))
    return crc


@functools.cache
def _pair_table() -> Words:
    return _table(16)


def _join(crc: int, pieces: Words, length: int) -> int:
    a, b, c, d = _appended_zeros(length)
    for piece in pieces.tolist():
        crc = a[crc & 0xFF] ^ b[crc >> 8 & 0xFF] ^ c[crc >> 16 & 0xFF] ^ d[crc >> 24] ^ piece
    return crc


@functools.lru_cache(maxsize=64)
def _appended_zeros(length: int) -> tuple[list[int], ...]:
    """Return the effect of `length` zero bytes on each value of each byte of a checksum, as four tables."""
    basis = np.uint32(1) << np.arange(32, dtype=np.uint32)
    columns = basis
    power = (basis >> np.uint32(8)) ^ np.array(_BYTES, np.uint32)[basis & 0xFF]  # one zero byte
    while length:
        if length & 1:
            columns = _apply(power, columns)
        power = _apply(power, power)
        length >>= 1
    values = np.arange(256, dtype=np.uint32)
    return tuple(_apply(columns, values << np.uint32(shift)).tolist() for shift in (0, 8, 16, 24))


def _apply(columns: Words, values: Words) -> Words:
    """Apply to each of `values` the linear map over GF(2) that sends bit i to `columns[i]`."""
    bits = (values[:, None] >> np.arange(32, dtype=np.uint32)) & np.uint32(1)
    picked: Words = np.bitwise_xor.reduce(bits * columns, axis=1)
    return picked
