"""How far a model's confidence can be believed: expected calibration error and negative log-likelihood."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics.base import Frames
from bench.metrics.estimate import Estimate, bootstrap

BINS = 15
"""Equal-width bins of confidence (Guo et al. 2017, arXiv 1706.04599, section 4)."""


def ece(frames: Frames) -> Estimate:
    """Expected calibration error: the mean over images of |accuracy - mean confidence| of their bin, in [0, 1].

    Guo et al. 2017, equation 3, 15 bins (lower, upper]. Over all conditions of the suite together.
    """
    frame = _scored(frames)
    gap = (frame["prediction"] == frame["label"]).to_numpy(dtype=float) - frame["confidence"].to_numpy(dtype=float)
    # the open lower edge: a confidence of exactly k / 15 belongs to the bin below
    bins = np.ceil(frame["confidence"].to_numpy(dtype=float) * BINS).astype(int).clip(1, BINS) - 1

    def statistic(weights: NDArray[np.float64]) -> float:
        return float(np.abs(np.bincount(bins, gap * weights, BINS)).sum() / weights.sum())

    return _estimate(statistic, len(frame), _unscored(frames))


def nll(frames: Frames) -> Estimate:
    """Mean negative log-likelihood of the label, in nats.

    The label's probability is the prediction's times exp(margin) where the prediction is wrong, as margins are
    differences of logits.
    """
    frame = _scored(frames)
    losses = -np.log(frame["confidence"].to_numpy(dtype=float)) - frame["margin"].to_numpy(dtype=float).clip(max=0)
    return _estimate(lambda weights: float(losses @ weights / weights.sum()), len(frame), _unscored(frames))


def _scored(frames: Frames) -> pd.DataFrame:
    whole = pd.concat(frames.values(), ignore_index=True)
    return whole[whole["scored"]]


def _unscored(frames: Frames) -> int:
    return int(sum((~frame["scored"]).sum() for frame in frames.values()))


def _estimate(statistic: Callable[[NDArray[np.float64]], float], n: int, unscored: int) -> Estimate:
    low, high = bootstrap(statistic, n)
    return Estimate(statistic(np.ones(n)), low, high, n, unscored)
