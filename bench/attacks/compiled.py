"""Linf steps of FAB and Square, picture after picture, by Numba, which is slow to import: import this late."""

import numba
import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]

_ANY_ORDER = {"reassoc", "contract", "nsz"}
"""What lets sums run in the processor's vector units; infinities and NaN keep their meaning."""


@numba.njit(cache=True, nogil=True, fastmath=_ANY_ORDER)
def _room(x: np.float32, slope: np.float32, way: np.float32) -> np.float32:
    """How far a value may move: up to 1 or down to 0, whichever way it goes."""
    room: np.float32 = np.float32(1) - x if way * slope > 0 else x
    return room


@numba.njit(cache=True, nogil=True, fastmath=_ANY_ORDER)
def _time(x: Row, slope: Row, gap: np.float32) -> np.float32:
    """How far values with room left must go to reach the plane <slope, d> + gap = 0; infinite where none can.

    The way covered grows with time as a concave, piecewise linear function, so that Newton's steps from the left end
    at the root (`bench.attacks.plane.onto_plane`).
    """
    way = np.float32(-1) if gap > 0 else np.float32(1)
    time, free = np.float32(0), -1
    while True:
        held, pull, left = np.float32(0), np.float32(0), 0
        for j in range(x.size):
            weight, room = abs(slope[j]), _room(x[j], slope[j], way)
            if room > time:
                pull += weight
                left += weight > 0
            else:
                held += weight * room
        if left == free:
            return time
        if left == 0:
            return np.float32(np.inf)
        time, free = max(time, (abs(gap) - held) / pull), left


@numba.njit(cache=True, nogil=True, fastmath=_ANY_ORDER)
def _move(x: np.float32, slope: np.float32, way: np.float32, time: np.float32) -> np.float32:
    """The step of one value."""
    if slope == 0 or way == 0:
        return np.float32(0)
    step: np.float32 = np.sign(way * slope) * min(time, _room(x, slope, way))
    return step


@numba.njit(cache=True, nogil=True, fastmath=_ANY_ORDER)
def linf_step(x: Row, image: Row, gradient: Row, difference: Row, alpha_max: float, eta: float, out: Row) -> None:
    """`bench.attacks.plane.torch_step` for Linf: x, image, gradient, out [n, d], difference [n]; fills `out`."""
    for i in range(len(x)):
        gap, gap_image = difference[i], difference[i]
        for j in range(x.shape[1]):
            gap_image += gradient[i, j] * (image[i, j] - x[i, j])
        time, time_image = _time(x[i], gradient[i], gap), _time(image[i], gradient[i], gap_image)
        way, way_image = -np.sign(gap), -np.sign(gap_image)
        near, far = np.float32(1e-8), np.float32(1e-8)
        for j in range(x.shape[1]):
            near = max(near, abs(_move(x[i, j], gradient[i, j], way, time)))
            far = max(far, abs(_move(image[i, j], gradient[i, j], way_image, time_image)))
        alpha = min(near / (near + far), np.float32(alpha_max))
        for j in range(x.shape[1]):
            a = x[i, j] + np.float32(eta) * _move(x[i, j], gradient[i, j], way, time)
            b = image[i, j] + np.float32(eta) * _move(image[i, j], gradient[i, j], way_image, time_image)
            out[i, j] = min(max(a + alpha * (b - a), np.float32(0)), np.float32(1))


@numba.njit(cache=True, nogil=True)
def paint_squares(
    out: Row,
    low: Row,
    high: Row,
    picture: NDArray[np.int64],
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    side: NDArray[np.int64],
    raised: NDArray[np.bool_],
    width: int,
) -> None:
    """`bench.attacks.squares.torch_paint` in place: out [m, h w c]; low, high [n, h w c]; raised [m, c]."""
    for i in range(len(out)):
        channels = raised.shape[1]
        for row in range(top[i], top[i] + side[i]):
            for column in range(left[i], left[i] + side[i]):
                for c in range(channels):
                    j = (row * width + column) * channels + c
                    out[i, j] = high[picture[i], j] if raised[i, c] else low[picture[i], j]
