"""CRC-32C (Castagnoli, RFC 3720 appendix B.4), as TensorFlow and LevelDB mask it; vectorised over lanes with NumPy.

A message is cut into equal lanes whose checksums are computed side by side and then joined: appending n bytes acts
on a checksum as a linear map over GF(2), which four tables of 256 hold.
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
    """What the low `bits` of a checksum become when as many zero bits are appended."""
    table = np.arange(1 << bits, dtype=np.uint32)
    for _ in range(bits):
        table = (table >> np.uint32(1)) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


_BYTES = _table(8).tolist()


def crc32c(data: bytes) -> int:
    """The CRC-32C of `data`."""
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
    """Rotated right by 15 bits plus a constant, so that checksums of checksums are no trouble (leveldb, crc32c.h)."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _lane_checksums(data: bytes, lanes: int, length: int) -> Words:
    """Raw checksums (started at 0) of the first `lanes` pieces of `length` bytes, two bytes a step."""
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
    """What `length` zero bytes do to each value of each byte of a checksum, as four tables."""
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
    """The linear map over GF(2) that sends bit i to `columns[i]`, applied to each of `values`."""
    bits = (values[:, None] >> np.arange(32, dtype=np.uint32)) & np.uint32(1)
    picked: Words = np.bitwise_xor.reduce(bits * columns, axis=1)
    return picked
