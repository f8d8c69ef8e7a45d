"""Effective robustness: accuracy under shift beyond the prediction from ImageNet accuracy (Taori et al. 2020)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.metrics.accuracy import accuracy, correct
from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, bootstrap
from bench.rounding import decimal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TrendLine:
    """logit(shifted accuracy) = slope * logit(standard accuracy) + intercept, of `models` standard models.

    `lowest` and `highest` standard accuracy are those of the models: beyond them the line is an extrapolation.
    """

    slope: float
    intercept: float
    models: int
    r_squared: float
    lowest: float
    highest: float

    def expected(self, standard: float) -> float:
        """Return the shifted accuracy of standard training at a `standard` accuracy, both in (0, 1)."""
        return 1 / (1 + math.exp(-(self.slope * _logit(standard) + self.intercept)))


LINES = {
    "imagenet-v2": TrendLine(0.9232, -0.4977, 85, 0.996, 0.565, 0.847),
    "imagenet-v2-threshold0.7": TrendLine(1.0020, -0.1810, 85, 0.994, 0.565, 0.847),
    "imagenet-v2-top-images": TrendLine(0.9816, 0.1221, 85, 0.993, 0.565, 0.847),
    "imagenet-sketch": TrendLine(1.0709, -2.3701, 85, 0.869, 0.565, 0.847),
    "imagenet-r": TrendLine(0.6368, -2.1077, 80, 0.889, 0.769, 0.965),
}
"""Least squares over the models that modestyachts/imagenet-testbed (0170eec) calls standard, from its
robustness_top1s.csv; -R against accuracy on its 200 classes. There is no line for ImageNet-A: the set was selected
to make a ResNet-50 fail, and below that model's accuracy the logits are not linear."""


def effective_robustness(shifted: str, standard: str) -> Callable[[Frames], Estimate]:
    """Accuracy on `shifted` minus the line's prediction from accuracy on `standard` (condition names), in points."""
    line = LINES[shifted.split("/")[0]]

    def compute(frames: Frames) -> Estimate:
        far, near = _hits(frames, shifted), _hits(frames, standard)
        n, m = len(far), len(near)

        def statistic(weights: np.ndarray) -> float:
            # the two sets are resampled apart: one vector of weights serves both, its halves being independent
            a, b = weights[:n], weights[n:]
            expected = line.expected(min(max(float(near @ b / b.sum()), 0.5 / m), 1 - 0.5 / m))
            return 100 * (float(far @ a / a.sum()) - expected)

        low, high = bootstrap(statistic, n + m)
        return Estimate(statistic(np.ones(n + m)), low, high, n, _unscored(frames, shifted, standard))

    return compute


def beyond_line(shifted: str, standard: str) -> Callable[[Frames], str]:
    """Return what to say where accuracy on `standard` lies beyond the models of the line."""
    line = LINES[shifted.split("/")[0]]

    def remark(frames: Frames) -> str:
        found = accuracy(_records(frames, standard)).value
        if math.isnan(found) or line.lowest <= found <= line.highest:
            return ""
        ends = f"{100 * line.lowest:g} to {100 * line.highest:g} %"
        return f"{decimal(100 * found)} % on {standard} is outside the {ends} of the line's models: an extrapolation"

    return remark


def gap(shifted: str, standard: str) -> Callable[[Frames], Estimate]:
    """Accuracy on `standard` minus accuracy on `shifted`, in points; both of the same classes.

    The interval is Newcombe's for unpaired proportions (method 10: Newcombe 1998, Statistics in Medicine 17, 873-890),
    which has a nonzero width even if a model is correct on all of a few images.
    """

    def compute(frames: Frames) -> Estimate:
        far, near = accuracy(_records(frames, shifted)), accuracy(_records(frames, standard))
        value = near.value - far.value
        down = math.hypot(near.value - near.low, far.high - far.value)
        up = math.hypot(near.high - near.value, far.value - far.low)
        unscored = _unscored(frames, shifted, standard)
        return Estimate(100 * value, 100 * (value - down), 100 * (value + up), far.n, unscored)

    return compute


def _records(frames: Frames, condition: str) -> "pd.DataFrame":
    import pandas as pd

    if condition not in frames:
        raise MissingConditionError(f"{condition} was not measured")
    return pd.DataFrame(frames[condition])


def _hits(frames: Frames, condition: str) -> np.ndarray:
    return correct(_records(frames, condition)).to_numpy(dtype=float)


def _unscored(frames: Frames, *conditions: str) -> int:
    return sum(int((~frames[condition]["scored"]).sum()) for condition in conditions)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
