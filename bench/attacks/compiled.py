"""Steps of FAB and Square, one image after the other, in Numba, which is slow to import: import this late."""

import numpy as np
from numpy.typing import NDArray

from bench.jit import compiled

Row = NDArray[np.float32]

_ANY_ORDER = {"reassoc", "contract", "nsz"}
"""Flags that allow sums in the processor's vector units; infinities and NaN keep their meaning."""


@compiled(fastmath=_ANY_ORDER)
def _room(x: np.float32, slope: np.float32, way: np.float32) -> np.float32:
    """Return how far a value may move: up to 1 or down to 0, by its direction."""
    room: np.float32 = np.float32(1) - x if way * slope > 0 else x
    return room


@compiled(fastmath=_ANY_ORDER)
def _time(x: Row, slope: Row, gap: np.float32) -> np.float32:
    """Return how far values with room left must move to reach the plane <slope, d> + gap = 0; infinite if none can.

    The distance covered is a concave, piecewise linear function of time, so Newton's steps from the left end at the
    root (`bench.attacks.plane.onto_plane`).
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


@compiled(fastmath=_ANY_ORDER)
def _move(x: np.float32, slope: np.float32, way: np.float32, time: np.float32) -> np.float32:
    """Return the step of one value."""
    if slope == 0 or way == 0:
        return np.float32(0)
    step: np.float32 = np.sign(way * slope) * min(time, _room(x, slope, way))
    return step


@compiled(fastmath=_ANY_ORDER)
def linf_step(x: Row, image: Row, gradient: Row, difference: Row, alpha_max: float, eta: float, out: Row) -> None:
    """Compute `bench.attacks.plane.torch_step` for Linf into `out`: x, image, gradient, out [n, d], difference [n]."""
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


@compiled()
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
    """Compute `bench.attacks.squares.torch_paint` in place: out [m, h w c]; low, high [n, h w c]; raised [m, c]."""
    for i in range(len(out)):
        channels = raised.shape[1]
        for row in range(top[i], top[i] + side[i]):
            for column in range(left[i], left[i] + side[i]):
                for c in range(channels):
                    j = (row * width + column) * channels + c
                    out[i, j] = high[picture[i], j] if raised[i, c] else low[picture[i], j]


@compiled(fastmath=_ANY_ORDER)
def _mass(delta: Row, squared: bool) -> np.float32:
    """Return the sum of squares, or of absolute values."""
    total = np.float32(0)
    if squared:
        for j in range(delta.size):
            total += delta[j] * delta[j]
    else:
        for j in range(delta.size):
            total += abs(delta[j])
    return total


@compiled()
def move_windows(
    delta: Row,
    image: Row,
    places: NDArray[np.int64],
    colour: Row,
    bumps: NDArray[np.float32],
    eps: float,
    squared: bool,
    width: int,
) -> None:
    """Compute `bench.attacks.windows.torch_move` in place: delta, image [m, h w c]; places [m, 7]: side, top, left, top
    and left of the window that gives, index into `bumps` [k, 2, s, s], and orientation; colour [m, c].

    delta becomes the image moved by eps (squared: L2), or the new perturbation before projection (L1).
    """
    channels, tiny = colour.shape[1], np.float32(1e-12)
    for i in range(len(delta)):
        side, top, left, top2, left2, which, lying = places[i]
        change, bump = delta[i], bumps[which, lying]
        budget = np.float32(eps * eps if squared else eps)
        spare = max(budget - _mass(change, squared), np.float32(0)) / np.float32(channels)
        for c in range(channels):
            here, both = np.float32(0), np.float32(0)
            for row in range(side):
                for column in range(side):
                    own = change[((top + row) * width + left + column) * channels + c]
                    here += own * own if squared else abs(own)
                    y, x = top2 + row, left2 + column
                    if not (top <= y < top + side and left <= x < left + side):
                        own = change[(y * width + x) * channels + c]
                        both += own * own if squared else abs(own)
            both += here
            here = (np.sqrt(here) if squared else here) + tiny
            shaped = np.float32(0)
            for row in range(side):
                for column in range(side):
                    own = change[((top + row) * width + left + column) * channels + c] / here
                    own += bump[row, column] * colour[i, c]
                    shaped += own * own if squared else abs(own)
            shaped = (np.sqrt(shaped) if squared else shaped) + tiny
            wanted = (np.sqrt(spare + both) if squared else (spare + both) * np.float32(channels)) / shaped
            for row in range(side):
                for column in range(side):
                    y, x = top2 + row, left2 + column
                    if not (top <= y < top + side and left <= x < left + side):
                        change[(y * width + x) * channels + c] = 0
            for row in range(side):
                for column in range(side):
                    j = ((top + row) * width + left + column) * channels + c
                    change[j] = (change[j] / here + bump[row, column] * colour[i, c]) * wanted
        if squared:
            scale = np.float32(eps) / (np.sqrt(_mass(change, squared)) + tiny)
            for j in range(change.size):
                change[j] = min(max(image[i, j] + scale * change[j], np.float32(0)), np.float32(1))


@compiled(fastmath=_ANY_ORDER)
def _l1_over(x: Row, image: Row, eps: np.float32, at: np.float32) -> tuple[np.float32, int]:
    """Return by how much the distance from `image` to `x` exceeds the radius once every value is shortened by `at`,
    and how many values are not yet zero."""
    total, free = np.float32(0), 0
    for j in range(x.size):
        delta = x[j] - image[j]
        left = abs(delta) - at
        room = np.float32(1) - image[j] if delta > 0 else image[j]
        total += max(min(left, room), np.float32(0))
        free += (left > 0) & (left <= room)
    return total - eps, free


@compiled()
def _l1_threshold(x: Row, image: Row, eps: np.float32, rounds: int) -> np.float32:
    """Compute `bench.attacks.norms.l1_threshold` of one image."""
    low, high, at = np.float32(0), np.float32(0), np.float32(0)
    for j in range(x.size):
        high = max(high, abs(x[j] - image[j]))
    for _ in range(rounds):
        over, free = _l1_over(x, image, eps, at)
        if abs(over) <= np.float32(1e-6) * eps or (over <= 0 and at == 0):
            break
        if over > 0:
            low = at
        else:
            high = at
        at = at + over / np.float32(free) if free > 0 else high
        if not low < at < high:
            at = (low + high) / np.float32(2)
    return at


@compiled(fastmath=_ANY_ORDER)
def l1_project(x: Row, image: Row, eps: float, rounds: int) -> None:
    """Compute `bench.attacks.norms.torch_into_l1` in place: x, image [n, d]."""
    for i in range(len(x)):
        at, total = _l1_threshold(x[i], image[i], np.float32(eps), rounds), np.float32(0)
        for j in range(x.shape[1]):
            delta = x[i, j] - image[i, j]
            room = np.float32(1) - image[i, j] if delta > 0 else image[i, j]
            kept = max(min(abs(delta) - at, room), np.float32(0))
            total += kept
            x[i, j] = kept if delta > 0 else -kept
        scale = min(np.float32(eps) / (total + np.float32(1e-12)), np.float32(1))
        for j in range(x.shape[1]):
            x[i, j] = image[i, j] + x[i, j] * scale
