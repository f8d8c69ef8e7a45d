"""A number with its interval and n, and the intervals."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
"""Coverage of every interval that is printed."""

Z = 1.959963984540054
"""The standard normal's quantile at 0.5 + LEVEL / 2 to the last digit, as `scipy.special.ndtri` has it: importing that
takes half a second."""


Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Estimate:
    """`value` with its 95 % interval [`low`, `high`], from `n` scored images; `unscored` could not be read."""

    value: float
    low: float
    high: float
    n: int
    unscored: int = 0


def wilson(successes: int, n: int, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22, 209-212); (nan, nan) when n is 0."""
    if n == 0:
        return math.nan, math.nan
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half if successes else 0.0), (centre + half if successes < n else 1.0)


def bootstrap(
    statistic: Callable[[NDArray[np.float64]], float], n: int, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of `statistic`, a function of integer weights [n] that say how often each image is drawn.

    Images are drawn with replacement and keep all their conditions, so the interval is paired over conditions.
    Efron & Tibshirani 1993, chapter 13.
    """
    if n == 0:
        return math.nan, math.nan
    rng = np.random.Generator(np.random.Philox(seed))
    draws = [statistic(np.bincount(rng.integers(0, n, n), minlength=n).astype(float)) for _ in range(resamples)]
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


CACHED = 5_000_000
"""Numbers of a matrix of draws that is kept (40 MB): at 2000 resamples, those of up to 2500 images."""

COUNTED = 100_000_000
"""The same of draws that are kept as counts of a byte (100 MB): those of up to 50,000 images."""

AT_ONCE = 1 << 18
"""Counts that are weighed at once: what a processor's cache holds."""


def bootstrap_mean(values: NDArray[np.float64], *, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """`bootstrap` of the mean of `values` [n], with the same draws, a thousand times faster."""
    n = len(values)
    if n == 0:
        return math.nan, math.nan
    if n * resamples <= CACHED:
        draws = _weights(n, resamples, seed) @ values / n
    elif n * resamples <= COUNTED:
        counts, rows = _counts(n, resamples, seed), max(1, AT_ONCE // n)
        draws = np.concatenate([counts[i : i + rows].astype(float) @ values for i in range(0, resamples, rows)]) / n
    else:
        rng = np.random.Generator(np.random.Philox(seed))
        draws = np.array([values[rng.integers(0, n, n)].mean() for _ in range(resamples)])
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


@functools.lru_cache(maxsize=2)
def _weights(n: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each of `n` images is drawn in each resample: [resamples, n]."""
    return _draw(n, resamples, seed, np.float64)


@functools.lru_cache(maxsize=1)
def _counts(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """The same, a byte each: an image is drawn 256 times once in 10^500 resamples."""
    return _draw(n, resamples, seed, np.uint8)


def _draw(n: int, resamples: int, seed: int, kind: type[Number]) -> NDArray[Number]:
    rng = np.random.Generator(np.random.Philox(seed))
    drawn = np.empty((resamples, n), kind)
    for row in drawn:
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    return drawn


def mean_estimate(values: NDArray[np.float64], unscored: int = 0) -> Estimate:
    """The mean of one number per image [n], with its bootstrap interval."""
    low, high = bootstrap_mean(values)
    return Estimate(float(values.mean()) if len(values) else math.nan, low, high, len(values), unscored)


def worst_first(part: Estimate) -> tuple[bool, float]:
    """Key of the least estimate, for `min`: one without a value comes first, since its value might be the least."""
    return not math.isnan(part.value), part.value


def pooled(parts: Sequence[Estimate]) -> Estimate:
    """The mean of estimates of unlike images, each with the weight of its n; the half-widths of their intervals add as
    independent ones do."""
    counts = np.array([part.n for part in parts], dtype=float)
    weights = counts / max(counts.sum(), 1)
    value = sum(float(w) * part.value for w, part in zip(weights, parts, strict=True))
    below = math.sqrt(sum((float(w) * (part.value - part.low)) ** 2 for w, part in zip(weights, parts, strict=True)))
    above = math.sqrt(sum((float(w) * (part.high - part.value)) ** 2 for w, part in zip(weights, parts, strict=True)))
    return Estimate(value, value - below, value + above, int(counts.sum()), sum(part.unscored for part in parts))


def mean_over(conditions: "Sequence[pd.Series]", unscored: int = 0) -> Estimate:
    """The mean of the means of several conditions, each a number per image (index: image id). An image is drawn with
    all its numbers, which are alike: taken as independent, the interval would be too narrow."""
    import pandas as pd

    values = pd.concat(conditions, axis=1).to_numpy(dtype=np.float64)
    seen = ~np.isnan(values)
    if seen.all():
        return mean_estimate(values.mean(axis=1), unscored)
    known, filled = seen.astype(float), np.where(seen, values, 0.0)

    def statistic(weights: NDArray[np.float64]) -> float:
        return float(np.mean(weights @ filled / np.maximum(weights @ known, 1)))

    value = statistic(np.ones(len(values))) if seen.any(axis=0).all() else math.nan
    low, high = bootstrap(statistic, len(values)) if math.isfinite(value) else (math.nan, math.nan)
    return Estimate(value, low, high, len(values), unscored)
