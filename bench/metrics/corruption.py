"""ImageNet-C's metrics: corruption error, mCE, and the unnormalised mean error, each under its own name.

Hendrycks & Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, arXiv 1903.12261, section 4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.arrow import as_numpy
from bench.condition import Condition
from bench.metrics.accuracy import correct, right_and_scored
from bench.metrics.base import Frames, MissingConditionError, once, records_of
from bench.metrics.estimate import Estimate, mean_estimate

if TYPE_CHECKING:
    import pandas as pd

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


@dataclass(frozen=True)
class Wrong:
    """Whether each image is wrong: bool [images, conditions], images by id."""

    ids: NDArray[np.object_]
    values: NDArray[np.bool_]


def _wrong(frames: Frames, names: Sequence[str], *, clean: bool = False) -> Wrong:
    """Return images by corruptions x severities (and, last, the clean one), for images scored under all of them.
    Raises `MissingConditionError` naming every missing condition: 74 of 75 give no mCE."""
    by_key = once(frames, _by_key)
    wanted: list[tuple[str, int]] = [(name, severity) for name in names for severity in SEVERITIES]
    wanted += [("", 0)] if clean else []
    if missing := [_spell(*key) for key in wanted if key not in by_key]:
        raise MissingConditionError(f"{len(missing)} of {len(wanted)} conditions missing: {', '.join(missing)}")
    if (whole := once(frames, _all_wrong)) is not None:
        places = {key: place for place, key in enumerate(by_key)}
        return Wrong(whole.ids, whole.values[:, [places[key] for key in wanted]])
    import pandas as pd

    table = pd.concat([correct(frames[by_key[key]]) for key in wanted], axis=1, join="inner").sort_index()
    return Wrong(table.index.to_numpy(dtype=object), ~table.to_numpy(dtype=bool))


def _by_key(frames: Frames) -> dict[tuple[str, int], str]:
    """Names of the conditions by corruption and severity, the clean one under an empty name and 0."""
    parsed = {name: Condition.parse(name) for name in frames}
    found = {(condition.corruption, condition.severity): name for name, condition in parsed.items()}
    if len(found) < len(frames):
        raise ValueError(f"several conditions of one corruption and severity: {', '.join(sorted(frames))}")
    return found


def _all_wrong(frames: Frames) -> Wrong | None:
    """All conditions in the order of `frames`; None where they are not of the same images, all scored alike."""
    columns: list[NDArray[np.bool_]] = []
    first = records_of(frames, next(iter(frames)))
    mask = right_and_scored(first)[1]
    for name in frames:
        records = records_of(frames, name)
        right, scored = right_and_scored(records)
        if not (records["image_id"].equals(first["image_id"]) and np.array_equal(scored, mask)):
            return None
        columns.append(~right[mask])
    ids = np.asarray(as_numpy(first["image_id"]), dtype=object)[mask]
    order = ids.argsort(kind="stable")
    return Wrong(ids[order], np.stack(columns, axis=1)[order])


def _spell(name: str, severity: int) -> str:
    return f"{name}/{severity}" if name else "clean"


def mce_per_image(frames: Frames) -> "pd.Series":
    """Each image's share of mCE in percent: the mean over the 15 corruptions of its error / AlexNet's mean error."""
    wrong = _wrong(frames, CORRUPTIONS)
    return _series(_mce(wrong), wrong.ids)


def _mce(wrong: Wrong) -> NDArray[np.float64]:
    return _weighted(wrong.values, [100 / ALEXNET_ERROR[name] for name in CORRUPTIONS])


def mce(frames: Frames) -> Estimate:
    """mCE in percent: the mean over the 15 corruptions of mean error over severities / AlexNet's (a mean of ratios)."""
    return _estimated(_mce(_wrong(frames, CORRUPTIONS)), frames)


def relative_mce_per_image(frames: Frames) -> "pd.Series":
    """Each image's share of relative mCE in percent."""
    wrong = _wrong(frames, CORRUPTIONS, clean=True)
    return _series(_relative_mce(wrong), wrong.ids)


def _relative_mce(wrong: Wrong) -> NDArray[np.float64]:
    added = wrong.values[:, :-1].astype(float) - wrong.values[:, -1:]
    return _weighted(added, [100 / (ALEXNET_ERROR[name] - ALEXNET_CLEAN_ERROR) for name in CORRUPTIONS])


def relative_mce(frames: Frames) -> Estimate:
    """Relative mCE in percent: the mean over the 15 corruptions of (error - clean error) / AlexNet's."""
    return _estimated(_relative_mce(_wrong(frames, CORRUPTIONS, clean=True)), frames)


def error_per_image(frames: Frames, names: Sequence[str] = CORRUPTIONS) -> "pd.Series":
    """Each image's mean error over all corruptions and severities, in [0, 1]."""
    wrong = _wrong(frames, names)
    return _series(wrong.values.mean(axis=1), wrong.ids)


def mean_error(frames: Frames, names: Sequence[str] = CORRUPTIONS) -> Estimate:
    """The unnormalised mean error over all corruptions and severities, in [0, 1]."""
    return _estimated(_wrong(frames, names).values.mean(axis=1), frames)


def plain_error(name: str) -> Callable[[Frames], Estimate]:
    """Mean error of one corruption over severities, in [0, 1]."""
    return lambda frames: mean_error(frames, [name])


def severity_accuracy(severity: int) -> Callable[[Frames], Estimate]:
    """Mean accuracy over the 15 corruptions at one severity, in [0, 1]."""

    def compute(frames: Frames) -> Estimate:
        wrong = _wrong(frames, CORRUPTIONS)
        return _estimated(1 - wrong.values[:, severity - 1 :: len(SEVERITIES)].mean(axis=1), frames)

    return compute


def corruption_error(name: str) -> Callable[[Frames], Estimate]:
    """CE of one corruption in percent: its mean error over severities divided by AlexNet's."""

    def compute(frames: Frames) -> Estimate:
        errors = _wrong(frames, [name]).values.mean(axis=1)
        return _estimated(errors * 100 / ALEXNET_ERROR[name], frames)

    return compute


def _weighted(wrong: NDArray[Any], weights: Sequence[float]) -> NDArray[np.float64]:
    """Per image, the mean over corruptions of (mean over severities of `wrong`) x the corruption's weight."""
    each = np.repeat(np.asarray(weights), len(SEVERITIES)) / wrong.shape[1]
    return np.asarray(wrong.astype(float) @ each, dtype=np.float64)


def _series(values: NDArray[np.float64], ids: NDArray[np.object_]) -> "pd.Series":
    import pandas as pd

    return pd.Series(values, index=pd.Index(ids))


def _estimated(per_image: NDArray[np.float64], frames: Frames) -> Estimate:
    """The mean over images with its bootstrap: an image keeps all its conditions, so it is paired over them. One that
    lacks an answer under any condition is unscored."""
    listed = len(records_of(frames, next(iter(frames))))
    return mean_estimate(per_image, listed - len(per_image))
