"""AUPR and AUROC: how well low confidence detects images of unknown classes (Hendrycks et al., arXiv 1907.07174)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, bootstrap

Area = Callable[[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]], float]
"""Function of (is an anomaly, its score, its weight), each [n], that returns an area."""


TINY = 1e-12
"""Replaces a zero weight, as in resamples without one of the two kinds."""


def average_precision(anomaly: NDArray[np.bool_], score: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Sum over distinct scores, from the highest, of (recall gained) x precision, as scikit-learn defines AUPR."""
    found, all_found = _cumulated(anomaly, score, weight)
    recall = found / max(found[-1], TINY)
    return float(np.diff(recall, prepend=0.0) @ (found / np.maximum(all_found, TINY)))


def roc_area(anomaly: NDArray[np.bool_], score: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Area under the ROC curve, by trapezoids over distinct scores."""
    found, all_found = _cumulated(anomaly, score, weight)
    false = all_found - found
    return float(np.trapezoid(np.r_[0, found / max(found[-1], TINY)], np.r_[0, false / max(false[-1], TINY)]))


def _cumulated(
    anomaly: NDArray[np.bool_], score: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of anomalies, and of all images, at or above each distinct score, from the highest."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return np.cumsum((weight * anomaly)[order])[last], np.cumsum(weight[order])[last]


def anomalies(outside: str, inside: str, area: Area = average_precision) -> Callable[[Frames], Estimate]:
    """`area` with the images of condition `outside` as positives, those of `inside` as negatives, by the negative of
    the softmax confidence; in [0, 1]."""

    def compute(frames: Frames) -> Estimate:
        import pandas as pd

        if missing := [name for name in (outside, inside) if name not in frames]:
            raise MissingConditionError(f"{', '.join(missing)} was not measured")
        out, within = (pd.DataFrame(frames[name]) for name in (outside, inside))
        scored = [frame[frame["scored"]] for frame in (out, within)]
        if not all(len(frame) for frame in scored):
            raise MissingConditionError("no image was scored in one of the two sets")
        score = -np.concatenate([frame["confidence"].to_numpy(dtype=float) for frame in scored])
        anomaly = np.arange(len(score)) < len(scored[0])

        def statistic(weights: NDArray[np.float64]) -> float:
            return area(anomaly, score, weights)

        low, high = bootstrap(statistic, len(score), resamples=500)
        unscored = len(out) + len(within) - len(score)
        return Estimate(statistic(np.ones(len(score))), low, high, len(score), unscored)

    return compute
