"""Paired comparison of two models on the same images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.metrics.accuracy import correct
from bench.metrics.base import Frames
from bench.metrics.corruption import mce_per_image
from bench.metrics.estimate import Estimate, Z, mean_estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of A less that of B on the images that both scored.

    `only_a` images are right under A alone, `only_b` under B alone; `p` is McNemar's exact two-sided p-value
    (McNemar 1947, Psychometrika 12, 153-157): under no difference each discordant image is a fair coin. The interval
    is Newcombe's for paired proportions, method 10 (Newcombe 1998, Statistics in Medicine 17, 2635-2650).
    """

    difference: float
    low: float
    high: float
    n: int
    only_a: int
    only_b: int
    p: float


def compare(a: "pd.DataFrame", b: "pd.DataFrame") -> PairedDifference:
    """The paired difference of two frames of records of the same condition."""
    import pandas as pd

    table = pd.DataFrame({"a": correct(a), "b": correct(b)}).dropna().astype(bool)
    both = int((table["a"] & table["b"]).sum())
    only_a = int((table["a"] & ~table["b"]).sum())
    only_b = int((~table["a"] & table["b"]).sum())
    n = len(table)
    low, high = newcombe(both, only_a, only_b, n - both - only_a - only_b)
    difference = (only_a - only_b) / n if n else math.nan
    return PairedDifference(difference, low, high, n, only_a, only_b, mcnemar(only_a, only_b))


def changed(a: "pd.DataFrame", b: "pd.DataFrame") -> "pd.DataFrame":
    """The images on which exactly one is right: `image_id`, `label`, and both predictions."""
    columns = ["image_id", "label", "prediction"]
    table = a[a["scored"]][columns].merge(b[b["scored"]][columns], on=["image_id", "label"], suffixes=("_a", "_b"))
    one = (table["prediction_a"] == table["label"]) != (table["prediction_b"] == table["label"])
    return table[one].reset_index(drop=True)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value of `only_a` against `only_b` discordant images; 1 where there are none."""
    return float(mcnemar_p(np.array(only_a, float), np.array(only_b, float)))


def mcnemar_p(only_a: NDArray[np.float64], only_b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same elementwise: twice the binomial tail of the fewer, as a regularised incomplete beta (`scipy.stats` has
    it too, but takes half a second to import)."""
    from scipy.special import betainc  # half a second that a table without pairs need not wait for

    fewer, more = np.minimum(only_a, only_b), np.maximum(only_a, only_b)
    return np.asarray(np.minimum(2 * betainc(np.maximum(more, 1.0), fewer + 1, 0.5), 1.0))


def newcombe(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float]:
    """Interval of the difference of paired proportions: score intervals of each, joined by their correlation."""
    n = both + only_a + only_b + neither
    if n == 0:
        return math.nan, math.nan
    p_a, p_b = (both + only_a) / n, (both + only_b) / n
    (low_a, high_a), (low_b, high_b) = _score(p_a, n), _score(p_b, n)
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    excess = both * neither - only_a * only_b
    corrected = max(excess - n / 2, 0.0) if excess > 0 else excess  # continuity correction of the correlation
    phi = corrected / math.sqrt(product) if product else 0.0
    difference = p_a - p_b
    down = (p_a - low_a) ** 2 - 2 * phi * (p_a - low_a) * (high_b - p_b) + (high_b - p_b) ** 2
    up = (high_a - p_a) ** 2 - 2 * phi * (high_a - p_a) * (p_b - low_b) + (p_b - low_b) ** 2
    return difference - math.sqrt(max(down, 0.0)), difference + math.sqrt(max(up, 0.0))


def _score(p: float, n: int) -> tuple[float, float]:
    centre = (2 * n * p + Z * Z) / (2 * (n + Z * Z))
    half = Z * math.sqrt(Z * Z + 4 * n * p * (1 - p)) / (2 * (n + Z * Z))
    return centre - half, centre + half


def mce_difference(a: Frames, b: Frames) -> Estimate:
    """mCE of A less that of B, in percent, with the bootstrap over the images that both models scored under all
    conditions."""
    return mean_estimate((mce_per_image(a) - mce_per_image(b)).dropna().to_numpy())


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p-values in the given order (Holm 1979, Scandinavian Journal of Statistics 6, 65-70)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.minimum(np.arange(len(p), 0, -1) * p[order], 1.0))
    return adjusted
