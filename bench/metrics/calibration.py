"""Calibration of a model's confidence: expected calibration error, negative log-likelihood, RMS calibration error,
AURRA."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, bootstrap

if TYPE_CHECKING:
    import pandas as pd

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


def _scored(frames: Frames) -> "pd.DataFrame":
    import pandas as pd

    whole = pd.concat(frames.values(), ignore_index=True)
    return whole[whole["scored"]]


def _unscored(frames: Frames) -> int:
    return int(sum((~frame["scored"]).sum() for frame in frames.values()))


def _estimate(statistic: Callable[[NDArray[np.float64]], float], n: int, unscored: int) -> Estimate:
    low, high = bootstrap(statistic, n)
    return Estimate(statistic(np.ones(n)), low, high, n, unscored)


BIN_IMAGES = 100
"""Images in a bin of equal mass, as natural-adv-examples takes them."""


def rms_calibration(frames: Frames) -> Estimate:
    """RMS calibration error as ImageNet-A's authors print it, in [0, 1].

    hendrycks/natural-adv-examples, calibration_tools.py, `calib_err(p="2")`: bins of 100 images by confidence, the root
    of the sum over bins of their share x (mean confidence - accuracy)^2. As there, the last bin (100 to 199 images, the
    most confident) is left out. Raises `MissingConditionError` under 200 images, where nothing would be counted.
    """
    frame = _scored(frames)
    if len(frame) < 2 * BIN_IMAGES:
        raise MissingConditionError(f"RMS calibration error takes {2 * BIN_IMAGES} images or more, found {len(frame)}")
    confidence = frame["confidence"].to_numpy(dtype=float)
    right = (frame["prediction"] == frame["label"]).to_numpy(dtype=float)
    order = np.argsort(confidence, kind="stable")
    gap, n = (confidence - right)[order], len(frame)
    bins = n // BIN_IMAGES - 1
    starts = np.arange(0, bins * BIN_IMAGES, BIN_IMAGES)

    def statistic(weights: NDArray[np.float64]) -> float:
        # an image drawn twice counts twice in the bin that it is in
        mass = np.add.reduceat(weights[order][: bins * BIN_IMAGES], starts)
        off = np.add.reduceat((gap * weights[order])[: bins * BIN_IMAGES], starts)
        return float(np.sqrt((off**2 / np.maximum(mass, 1)).sum() / weights.sum()))

    return _estimate(statistic, n, _unscored(frames))


def aurra(frames: Frames) -> Estimate:
    """Area under the response rate - accuracy curve, in [0, 1] (calibration_tools.py, `aurra`).

    The mean, over how many of the most confident images are answered, of the accuracy on those.
    """
    frame = _scored(frames)
    if frame.empty:
        raise MissingConditionError("no image was scored")
    right = (frame["prediction"] == frame["label"]).to_numpy(dtype=float)
    order = np.argsort(frame["confidence"].to_numpy(dtype=float), kind="stable")[::-1]

    def statistic(weights: NDArray[np.float64]) -> float:
        answered = np.cumsum(weights[order])
        curve = np.cumsum((right * weights)[order]) / np.maximum(answered, 1e-12)
        return float(curve @ weights[order] / weights.sum())

    return _estimate(statistic, len(frame), _unscored(frames))
