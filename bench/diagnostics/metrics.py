"""Metrics of the three diagnostic suites, as pure functions of records and measurements.

Distances, smoothness and logit margins are computed over images that the model classifies correctly when clean.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.condition import Condition
from bench.diagnostics.distances import Channels, between_share, standardised_shift
from bench.diagnostics.table import images_of, merged, values
from bench.metrics.accuracy import accuracy
from bench.metrics.base import Frames, Measurements, MissingConditionError, Records, records_of, require_columns
from bench.metrics.estimate import LEVEL, Estimate, mean_estimate, worst_first

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2000
LARGEST = {"linf": 16 / 255, "l2": 3.0}
"""Largest eps of accuracy-against-eps curves and of the area under them."""

DEAD = 1e-5
"""Channels with a smaller variance are dead: a batch norm's default eps exceeds it."""


def of_right(frame: "pd.DataFrame", column: str) -> NDArray[np.float64]:
    """Return `column` of the correctly classified scored images, without undefined values."""
    require_columns(frame, column)
    right = frame[frame["scored"] & (frame["prediction"] == frame["label"])]
    values = right[column].to_numpy(dtype=np.float64)
    return np.asarray(values[~np.isnan(values)])


def median_estimate(values: NDArray[np.float64], unscored: int = 0) -> Estimate:
    """Return the median with a bootstrap percentile interval (Efron and Tibshirani 1993, chapter 13)."""
    n = len(values)
    if not n:
        raise MissingConditionError("no image is classified rightly")
    rng = np.random.Generator(np.random.Philox(0))
    medians = np.sort([np.median(values[rng.integers(0, n, n)]) for _ in range(RESAMPLES)])
    low, high = (medians[round(q * (RESAMPLES - 1))] for q in (0.5 - LEVEL / 2, 0.5 + LEVEL / 2))
    return Estimate(float(np.median(values)), float(low), float(high), n, unscored)


def median_of(column: str) -> Callable[[Frames], Estimate]:
    """Return a metric: the median of a column over correctly classified images of the suite's only condition."""

    def compute(frames: Frames) -> Estimate:
        (frame,) = frames.values()
        values = of_right(frame, column)
        return median_estimate(values, int((~frame["scored"]).sum()))

    return compute


def norm_of(condition: str) -> str:
    """Return the norm (`linf` or `l2`) of a margin condition's name."""
    return Condition.parse(condition).probe_norm


def accuracy_at(distances: NDArray[np.float64], eps: float) -> float:
    """Return the share of images whose smallest perturbation exceeds `eps`, an upper bound of robust accuracy."""
    return float((distances > eps).mean())


def area(frames: Frames) -> Estimate:
    """Return the area under the accuracy-against-eps curve up to `LARGEST`, normalised to [0, 1]: the mean of
    min(distance, largest) / largest."""
    values, (frame,) = area_per_image(frames).to_numpy(dtype=np.float64), frames.values()
    return mean_estimate(values, len(frame) - len(values))


def area_per_image(frames: Frames) -> "pd.Series":
    """Return each scored image's share of the area; index: image id."""
    import pandas as pd

    ((name, frame),) = frames.items()
    require_columns(frame, "distance")
    scored = frame[frame["scored"]]
    largest = LARGEST[norm_of(name)]
    values = scored["distance"].fillna(np.inf).clip(upper=largest).to_numpy(dtype=np.float64) / largest
    return pd.Series(values, index=pd.Index(scored["image_id"]))


def chosen_accuracy(which: str, column: str, beside: str = "prediction") -> Callable[[Frames], Estimate]:
    """Return a metric: accuracy of the predictions in `column` on the suite's `clean`, `adversarial` (lowest) or
    `corrupted` (mean) conditions that also have the column `beside`."""

    def compute(frames: Frames) -> Estimate:
        chosen = _conditions(frames, which, column, beside)
        found = [accuracy(records, column) for records in chosen]
        if not found:
            raise MissingConditionError(f"no {which} condition has {column}")
        return _mean(found) if which == "corrupted" else min(found, key=worst_first)

    return compute


def _conditions(frames: Frames, which: str, *columns: str) -> list[Records]:
    found = [records_of(frames, name) for name in frames if _kind(name) == which]
    found = found[:1] if which == "clean" else found
    return [records for records in found if all(_has(records, column) for column in columns)]


def _has(records: Records, column: str) -> bool:
    """Return whether there is such a column with a number in it."""
    names = records.column_names if isinstance(records, pa.Table) else records.columns
    return column in names and not np.isnan(values(records[column])).all()


def _kind(condition: str) -> str:
    name = Condition.parse(condition)
    return "adversarial" if name.attack else "corrupted" if name.corruption else "clean"


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean over conditions of the same images. Its interval is the mean of theirs: errors are correlated."""
    value, low, high = (float(np.mean([getattr(e, k) for e in estimates])) for k in ("value", "low", "high"))
    return Estimate(value, low, high, estimates[0].n, sum(e.unscored for e in estimates))


Units = Sequence[pa.Table]


def shift_between(clean: Units, other: Units) -> float:
    """Return the median over channels of |standardised mean shift| from the observed clean statistics."""
    a, b = merged(clean), merged(other)
    return float(np.median(np.abs(_shift(b, a["mean"], a["variance"]))))


def shift_from_stored(clean: Units) -> float:
    """Return the median |standardised mean shift| of clean images from the stored statistics; NaN without any."""
    table = merged(clean)
    mean, variance = values(table["stored_mean"]), values(table["stored_variance"])
    stored = ~(np.isnan(mean) | np.isnan(variance))
    shift = np.abs(_shift(table, table["stored_mean"], table["stored_variance"]))[stored]
    return float(np.median(shift)) if len(shift) else np.nan


def _shift(table: pa.Table, mean: pa.ChunkedArray, variance: pa.ChunkedArray) -> Channels:
    columns = (table["mean"], mean, variance, table["eps"])
    return standardised_shift(*map(values, columns))


def share_between(clean: Units, adversarial: Units) -> float:
    """Return the mean over channels of the between-domain share of an equal mixture's variance."""
    a, b = merged(clean), merged(adversarial)
    columns = (a["mean"], a["variance"], b["mean"], b["variance"], a["eps"])
    return float(between_share(*map(values, columns)).mean())


def dead_share(clean: Units) -> float:
    """Return the share of channels whose variance, stored or observed, is below `DEAD`."""
    table = merged(clean)
    return float(((values(table["variance"]) < DEAD) | (values(table["stored_variance"]) < DEAD)).mean())


def jackknifed(statistic: Callable[..., float], *conditions: Units) -> Estimate:
    """Return `statistic` of all units with a jackknife interval (Student's t), leaving out one unit of all conditions
    at a time (Efron and Tibshirani 1993, chapter 11); a single unit gives no interval."""
    value, g = statistic(*conditions), min(map(len, conditions))
    images = images_of(conditions[0])
    if g < 2 or np.isnan(value):
        return Estimate(value, float("nan"), float("nan"), images)
    left = np.array([statistic(*([u for j, u in enumerate(c) if j != i] for c in conditions)) for i in range(g)])
    from scipy.special import stdtrit

    error = np.sqrt((g - 1) / g * ((left - left.mean()) ** 2).sum())
    half = float(stdtrit(g - 1, 0.5 + LEVEL / 2) * error)
    return Estimate(value, value - half, value + half, images)


def measured(statistic: Callable[..., float], which: str = "") -> Callable[[Measurements], Estimate]:
    """Return a measure: `statistic` of the clean condition, or with `which` of such conditions against it, the largest
    over adversarial ones and the mean over corrupted ones."""

    def compute(measurements: Measurements) -> Estimate:
        clean = next((units for name, units in measurements.items() if _kind(name) == "clean"), None)
        if clean is None:
            raise MissingConditionError("no clean condition was measured")
        if not which:
            return _defined(jackknifed(statistic, clean))
        found = [jackknifed(statistic, clean, u) for name, u in measurements.items() if _kind(name) == which]
        if not found:
            raise MissingConditionError(f"no {which} condition was measured")
        return _mean(found) if which == "corrupted" else max(found, key=lambda estimate: estimate.value)

    return compute


def _defined(estimate: Estimate) -> Estimate:
    if np.isnan(estimate.value):
        raise MissingConditionError("the network stores no statistics")
    return estimate
