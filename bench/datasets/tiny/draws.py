"""Random numbers by name: each image has one key, each draw one name, so nothing depends on order or batch.

Only integer operations and correctly rounded float32 ones (+ - * /, square root) are used here and in the rest of this
package: no libm, BLAS or pairwise sums, whose last digit differs between machines. Hence the same bytes everywhere.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Floats = NDArray[np.floating[Any]]

_GOLDEN = 0x9E3779B97F4A7C15
_SUM_MEAN = 131070.0
_SUM_SD = 37837.227
"""Mean and standard deviation of the sum of four uniform 16-bit integers: sqrt(4 (65536^2 - 1) / 12)."""


def mix(x: Keys) -> Keys:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), element by element."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _salt(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))


def image_keys(stream: str, indices: NDArray[np.int64]) -> Keys:
    """uint64 [n], the key of each image of `stream` at `indices` [n]."""
    return mix(mix(indices.astype(np.uint64) * np.uint64(_GOLDEN) + _salt(stream)))


class Draws:
    """Named random draws for the images of `keys` [n]; every result begins with the axis n."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def __getitem__(self, chosen: NDArray[np.intp]) -> "Draws":
        """The same draws for some of the images."""
        return Draws(self.keys[chosen])

    def bits(self, name: str, *shape: int) -> Keys:
        """uint64 [n, *shape]."""
        columns = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        return mix((self.keys ^ _salt(name))[:, None] + columns).reshape(len(self.keys), *shape)

    def uniform(self, name: str, low: float, high: float, *shape: int) -> Floats:
        """float32 [n, *shape] in [low, high)."""
        fraction = (self.bits(name, *shape) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return fraction * np.float32(high - low) + np.float32(low)

    def normal(self, name: str, sd: float, *shape: int) -> Floats:
        """float32 [n, *shape], near-normal (a sum of four uniforms, so within 3.5 sd), mean 0."""
        bits, mask = self.bits(name, *shape), np.uint64(0xFFFF)
        total = sum(((bits >> np.uint64(shift)) & mask for shift in (16, 32, 48)), bits & mask)
        return (total.astype(np.float32) - np.float32(_SUM_MEAN)) * np.float32(sd / _SUM_SD)

    def chance(self, name: str, probability: float, *shape: int) -> NDArray[np.bool_]:
        """bool [n, *shape], true with `probability`."""
        return self.uniform(name, 0.0, 1.0, *shape) < np.float32(probability)

    def integer(self, name: str, count: int) -> NDArray[np.int64]:
        """int64 [n] in 0 .. count - 1."""
        return (self.bits(name) % np.uint64(count)).astype(np.int64)
