"""ImageNet-C's metrics: corruption error, mCE, and the unnormalised mean error, each under its own name.

Hendrycks & Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, arXiv 1903.12261, section 4.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics.accuracy import correct
from bench.metrics.base import ConditionName, Frames, MissingConditionError
from bench.metrics.estimate import Estimate, bootstrap

ALEXNET_ERROR = {
    "gaussian_noise": 0.886428, "shot_noise": 0.894468, "impulse_noise": 0.922640,
    "defocus_blur": 0.819880, "glass_blur": 0.826268, "motion_blur": 0.785948, "zoom_blur": 0.798360,
    "snow": 0.866816, "frost": 0.826572, "fog": 0.819324, "brightness": 0.564592,
    "contrast": 0.853204, "elastic_transform": 0.646056, "pixelate": 0.717840, "jpeg_compression": 0.606500,
}  # fmt: skip
"""AlexNet's mean error over the five severities, 50,000 images (ALEXNET_ERR in google-research/augmix, imagenet.py)."""

ALEXNET_CLEAN_ERROR = 0.4348
"""AlexNet's clean error in relative mCE (google-research/robustness_metrics, imagenet_variants.py)."""

CORRUPTIONS = tuple(ALEXNET_ERROR)
SEVERITIES = (1, 2, 3, 4, 5)


def errors(frames: Frames, names: Sequence[str] = CORRUPTIONS) -> NDArray[np.float64]:
    """Per-image error [corruptions, severities, images] over the images scored under every condition.

    Raises `MissingConditionError` naming every condition that is absent: 74 of 75 make no mCE.
    """
    wrong = _wrong(frames, names)
    return wrong.reshape(len(names), len(SEVERITIES), -1)


def _wrong(frames: Frames, names: Sequence[str], *, clean: bool = False) -> NDArray[np.float64]:
    """Per-image error [corruptions x severities (and the clean one), images].

    Raises `MissingConditionError` naming every condition that is absent: 74 of 75 make no mCE.
    """
    parsed = {name: ConditionName.parse(name) for name in frames}
    by_key = {(parsed[name].corruption, parsed[name].severity): frame for name, frame in frames.items()}
    wanted: list[tuple[str, int]] = [(name, severity) for name in names for severity in SEVERITIES]
    wanted += [("", 0)] if clean else []
    if missing := [_spell(*key) for key in wanted if key not in by_key]:
        raise MissingConditionError(f"{len(missing)} of {len(wanted)} conditions missing: {', '.join(missing)}")
    table = pd.DataFrame({key: correct(by_key[key]) for key in wanted}).dropna().sort_index()
    return 1.0 - table.to_numpy(dtype=float).T


def _spell(name: str, severity: int) -> str:
    return f"{name}/{severity}" if name else "clean"


def mce(frames: Frames) -> Estimate:
    """mCE in percent: the mean over the 15 corruptions of mean error over severities / AlexNet's (a mean of ratios)."""
    alexnet = np.array([ALEXNET_ERROR[name] for name in CORRUPTIONS])
    return _estimate(errors(frames), lambda e: 100 * float(np.mean(e / alexnet)))


def relative_mce(frames: Frames) -> Estimate:
    """Relative mCE in percent: the mean over the 15 corruptions of (error - clean error) / AlexNet's."""
    alexnet = np.array([ALEXNET_ERROR[name] for name in CORRUPTIONS]) - ALEXNET_CLEAN_ERROR
    wrong = _wrong(frames, CORRUPTIONS, clean=True)
    added = wrong[:-1].reshape(len(CORRUPTIONS), len(SEVERITIES), -1) - wrong[-1]
    return _estimate(added, lambda e: 100 * float(np.mean(e / alexnet)))


def mean_error(frames: Frames, names: Sequence[str] = CORRUPTIONS) -> Estimate:
    """The unnormalised mean error over all corruptions and severities, in [0, 1]."""
    return _estimate(errors(frames, names), lambda e: float(np.mean(e)))


def plain_error(name: str) -> Callable[[Frames], Estimate]:
    """Mean error of one corruption over severities, in [0, 1]."""
    return lambda frames: mean_error(frames, [name])


def severity_accuracy(severity: int) -> Callable[[Frames], Estimate]:
    """Mean accuracy over the 15 corruptions at one severity, in [0, 1]."""

    def compute(frames: Frames) -> Estimate:
        right = 1 - errors(frames)[:, severity - 1 : severity]
        return _estimate(right, lambda e: float(np.mean(e)))

    return compute


def corruption_error(name: str) -> Callable[[Frames], Estimate]:
    """CE of one corruption in percent: its mean error over severities divided by AlexNet's."""

    def compute(frames: Frames) -> Estimate:
        return _estimate(errors(frames, [name]), lambda e: 100 * float(e[0]) / ALEXNET_ERROR[name])

    return compute


def _estimate(wrong: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], float]) -> Estimate:
    """`statistic` of the errors per corruption [corruptions], with the paired bootstrap over images."""
    per_image = wrong.mean(axis=1)  # [corruptions, images]
    n = per_image.shape[1]
    low, high = bootstrap(lambda weights: statistic(per_image @ weights / n), n)
    return Estimate(statistic(per_image.mean(axis=1)), low, high, n)
