"""Accuracy and error of one condition."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.arrow import as_numpy
from bench.metrics.base import Frames, Records, records_of
from bench.metrics.estimate import Estimate, wilson

if TYPE_CHECKING:
    import pandas as pd


def correct(frame: "pd.DataFrame") -> "pd.Series":
    """Return whether each scored image was classified correctly; the index is the image id."""
    import pandas as pd

    right, scored = right_and_scored(frame)
    ids = frame["image_id"] if scored.all() else frame["image_id"][scored]
    return pd.Series(right[scored], index=pd.Index(ids))


def right_and_scored(records: Records, column: str = "prediction") -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether each image was classified correctly by the predictions in `column`, and whether it was scored, in
    the order of measurement."""
    prediction, label, scored = (as_numpy(records[name]) for name in (column, "label", "scored"))
    return np.asarray(prediction == label, dtype=bool), np.asarray(scored, dtype=bool)


def accuracy(records: Records, column: str = "prediction") -> Estimate:
    """Return the share of scored images classified correctly by the predictions in `column`, in [0, 1], with Wilson's
    interval."""
    right, scored = right_and_scored(records, column)
    return accuracy_of(int((right & scored).sum()), int(scored.sum()), len(records))


def accuracy_of(right: int, scored: int, images: int) -> Estimate:
    """Return the same from counts."""
    low, high = wilson(right, scored)
    return Estimate(right / scored if scored else float("nan"), low, high, scored, images - scored)


def in_order(records: Records) -> NDArray[np.float64]:
    """Return 1 for each scored image classified correctly, else 0, in the order of measurement."""
    right, scored = right_and_scored(records)
    return np.asarray(right[scored], dtype=np.float64)


def outcomes(records: Records) -> NDArray[np.float64]:
    """Return 1 for a correct image, 0 for a misclassified one, NaN for one not scored, in order."""
    right, scored = right_and_scored(records)
    return np.where(scored, right.astype(np.float64), np.nan)


def error(frame: "pd.DataFrame") -> Estimate:
    """Return 1 - accuracy."""
    a = accuracy(frame)
    return Estimate(1 - a.value, 1 - a.high, 1 - a.low, a.n, a.unscored)


def only(frames: Frames) -> "pd.DataFrame":
    """Return the only condition of a suite."""
    (frame,) = frames.values()
    return frame


def only_records(frames: Frames) -> Records:
    """Return the only condition of a suite in the available form."""
    (name,) = frames
    return records_of(frames, name)
