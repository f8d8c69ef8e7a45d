"""Loops compiled with Numba that array operations cannot express well. Import it late: Numba is slow to import."""

import numpy as np
from numpy.typing import NDArray

from bench.jit import compiled


@compiled()
def displace(images: NDArray[np.uint8], source: NDArray[np.int8], reach: int) -> None:
    """Displace for glass blur: copy to each inner pixel of uint8 [n, h, w, 3] its `source` [n, rounds, pixels], in
    place.

    The loop is sequential: later copies read earlier ones.
    """
    n, height, width, _ = images.shape
    steps = np.array([3 * (dy * width + dx) for dy in range(-reach, reach) for dx in range(-reach, reach)])
    for i in range(n):
        values = images[i].ravel()
        for turn in range(source.shape[1]):
            pixel = 0
            for h in range(height - reach, reach, -1):
                for w in range(width - reach, reach, -1):
                    to = 3 * (h * width + w)
                    start = to + steps[source[i, turn, pixel]]
                    values[to] = values[start]
                    values[to + 1] = values[start + 1]
                    values[to + 2] = values[start + 2]
                    pixel += 1


@compiled()
def invert(
    levels: NDArray[np.uint8], uniform: NDArray[np.float32], cdf: NDArray[np.float32], start: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Return counts [m]: how many entries of `cdf[level]` [256, c] are at most `uniform` [m]; `start` [256, 256] holds
    first guesses.

    A binary search takes twenty times as long on a CPU, because its branches are mispredicted.
    """
    out = np.empty(levels.size, np.int16)  # counts go up to 500
    for i in range(levels.size):
        level, u = levels[i], uniform[i]
        count = start[level, int(u * 256)]
        while count < cdf.shape[1] and cdf[level, count] <= u:
            count += 1
        out[i] = count
    return out


@compiled()
def add_shifted(
    out: NDArray[np.float32],
    source: NDArray[np.float32],
    down: NDArray[np.int64],
    right: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> None:
    """Add `weights[i]` times `source` shifted by (down[i], right[i]) to `out`, both [rows, values]."""
    for row in range(out.shape[0]):
        target = out[row]
        for i in range(len(weights)):
            line = source[row + down[i], right[i] : right[i] + target.size]
            for j in range(target.size):
                target[j] += weights[i] * line[j]
