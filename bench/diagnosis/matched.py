"""Comparison of two models on the images that both classify correctly: difference of medians, bootstrapped."""

import numpy as np
import pandas as pd

from bench.diagnostics.metrics import RESAMPLES
from bench.metrics.base import MissingConditionError
from bench.metrics.estimate import LEVEL, Estimate


def matched_difference(a: pd.DataFrame, b: pd.DataFrame, column: str) -> Estimate:
    """Return the median of `column` in `a` minus that in `b`, over images that both models classify correctly, with a
    paired bootstrap interval. Raises `MissingConditionError` if there is no such image."""
    one, other = (frame[frame["scored"] & (frame["prediction"] == frame["label"])] for frame in (a, b))
    both = one.merge(other, on="image_id", suffixes=("", "_b"))[[column, f"{column}_b"]].dropna()
    if both.empty:
        raise MissingConditionError("no image is classified rightly by both models")
    values, n = both.to_numpy(dtype=np.float64), len(both)
    rng = np.random.Generator(np.random.Philox(0))
    draws = [np.subtract(*np.median(values[rng.integers(0, n, n)], axis=0)) for _ in range(RESAMPLES)]
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Estimate(float(np.subtract(*np.median(values, axis=0))), float(low), float(high), n)


def verdict(difference: Estimate, higher: bool = True) -> str:
    """Return the verdict of the interval on the claim that the first is higher (or lower)."""
    if difference.low > 0:
        return "agrees" if higher else "disagrees"
    if difference.high < 0:
        return "disagrees" if higher else "agrees"
    return "not told apart"
