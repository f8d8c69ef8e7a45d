"""ImageNet-C's metrics: corruption error, mCE, and the unnormalised mean error, each under its own name.

Hendrycks & Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, arXiv 1903.12261, section 4.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bench.condition import Condition
from bench.metrics.accuracy import correct
from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, mean_estimate

ALEXNET_ERROR = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
"""AlexNet's mean error over the five severities, 50,000 images (ALEXNET_ERR in google-research/augmix, imagenet.py)."""

ALEXNET_CLEAN_ERROR = 0.4348
"""AlexNet's clean error in relative mCE (google-research/robustness_metrics, imagenet_variants.py)."""

CORRUPTIONS = tuple(ALEXNET_ERROR)
SEVERITIES = (1, 2, 3, 4, 5)


def _wrong(frames: Frames, names: Sequence[str], *, clean: bool = False) -> pd.DataFrame:
    """Whether each image is wrong: images by id x corruptions x severities (and, last, the clean one).

    Raises `MissingConditionError` naming every condition that is absent: 74 of 75 make no mCE.
    """
    parsed = {name: Condition.parse(name) for name in frames}
    by_key = {(parsed[name].corruption, parsed[name].severity): frame for name, frame in frames.items()}
    if len(by_key) < len(frames):
        raise ValueError(f"several conditions of one corruption and severity: {', '.join(sorted(frames))}")
    wanted: list[tuple[str, int]] = [(name, severity) for name in names for severity in SEVERITIES]
    wanted += [("", 0)] if clean else []
    if missing := [_spell(*key) for key in wanted if key not in by_key]:
        raise MissingConditionError(f"{len(missing)} of {len(wanted)} conditions missing: {', '.join(missing)}")
    right = [correct(by_key[key]) for key in wanted]
    if all(each.index.equals(right[0].index) for each in right[1:]):  # as a rule; joining 75 indices takes longest
        table = pd.DataFrame(np.stack([each.to_numpy() for each in right], axis=1), right[0].index)
    else:
        table = pd.concat(right, axis=1, join="inner")
    table.columns = pd.MultiIndex.from_tuples(wanted)
    return ~table.sort_index().astype(bool)


def _spell(name: str, severity: int) -> str:
    return f"{name}/{severity}" if name else "clean"


def mce_per_image(frames: Frames) -> pd.Series:
    """Each image's share of mCE in percent: the mean over the 15 corruptions of its error / AlexNet's mean error."""
    return _weighted(_wrong(frames, CORRUPTIONS), [100 / ALEXNET_ERROR[name] for name in CORRUPTIONS])


def mce(frames: Frames) -> Estimate:
    """mCE in percent: the mean over the 15 corruptions of mean error over severities / AlexNet's (a mean of ratios)."""
    return _estimate(mce_per_image(frames))


def relative_mce_per_image(frames: Frames) -> pd.Series:
    """Each image's share of relative mCE in percent."""
    wrong = _wrong(frames, CORRUPTIONS, clean=True).astype(float)
    added = wrong.iloc[:, :-1].sub(wrong.iloc[:, -1], axis=0)
    return _weighted(added, [100 / (ALEXNET_ERROR[name] - ALEXNET_CLEAN_ERROR) for name in CORRUPTIONS])


def relative_mce(frames: Frames) -> Estimate:
    """Relative mCE in percent: the mean over the 15 corruptions of (error - clean error) / AlexNet's."""
    return _estimate(relative_mce_per_image(frames))


def error_per_image(frames: Frames, names: Sequence[str] = CORRUPTIONS) -> pd.Series:
    """Each image's mean error over all corruptions and severities, in [0, 1]."""
    return _wrong(frames, names).mean(axis=1)


def mean_error(frames: Frames, names: Sequence[str] = CORRUPTIONS) -> Estimate:
    """The unnormalised mean error over all corruptions and severities, in [0, 1]."""
    return _estimate(error_per_image(frames, names))


def plain_error(name: str) -> Callable[[Frames], Estimate]:
    """Mean error of one corruption over severities, in [0, 1]."""
    return lambda frames: mean_error(frames, [name])


def severity_accuracy(severity: int) -> Callable[[Frames], Estimate]:
    """Mean accuracy over the 15 corruptions at one severity, in [0, 1]."""

    def compute(frames: Frames) -> Estimate:
        return _estimate(1 - _wrong(frames, CORRUPTIONS).iloc[:, severity - 1 :: len(SEVERITIES)].mean(axis=1))

    return compute


def corruption_error(name: str) -> Callable[[Frames], Estimate]:
    """CE of one corruption in percent: its mean error over severities divided by AlexNet's."""
    return lambda frames: _estimate(error_per_image(frames, [name]) * 100 / ALEXNET_ERROR[name])


def _weighted(wrong: pd.DataFrame, weights: Sequence[float]) -> pd.Series:
    """Per image, the mean over corruptions of (mean over severities of `wrong`) x the corruption's weight."""
    each = np.repeat(np.asarray(weights), len(SEVERITIES)) / wrong.shape[1]
    return pd.Series(wrong.to_numpy(dtype=float) @ each, index=wrong.index)


def _estimate(per_image: pd.Series) -> Estimate:
    """The mean over images with its bootstrap: an image keeps all its conditions, so it is paired over them."""
    return mean_estimate(per_image.to_numpy(dtype=float))
