"""Accuracy and error of one condition."""

from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bench.metrics.base import Frames
from bench.metrics.estimate import Estimate, wilson

Records: TypeAlias = pd.DataFrame | pa.Table
"""The records of a condition, as a frame or as Arrow holds them, which is ready a hundred times sooner."""


def correct(frame: pd.DataFrame) -> pd.Series:
    """Whether each scored image was classified rightly; index is the image id."""
    right, scored = right_and_scored(frame)
    ids = frame["image_id"] if scored.all() else frame["image_id"][scored]
    return pd.Series(right[scored], index=pd.Index(ids))


def right_and_scored(records: Records) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each image was classified rightly, and whether it was scored, in the order of measurement."""
    prediction, label, scored = (records[name].to_numpy() for name in ("prediction", "label", "scored"))
    return np.asarray(prediction == label, dtype=bool), np.asarray(scored, dtype=bool)


def accuracy(records: Records) -> Estimate:
    """Share of scored images classified rightly, in [0, 1], with Wilson's interval."""
    right, scored = right_and_scored(records)
    return accuracy_of(int((right & scored).sum()), int(scored.sum()), len(records))


def accuracy_of(right: int, scored: int, images: int) -> Estimate:
    """The same of counts."""
    low, high = wilson(right, scored)
    return Estimate(right / scored if scored else float("nan"), low, high, scored, images - scored)


def in_order(records: Records) -> NDArray[np.float64]:
    """1 for each scored image classified rightly, else 0, in the order of measurement."""
    right, scored = right_and_scored(records)
    return np.asarray(right[scored], dtype=np.float64)


def outcomes(records: Records) -> NDArray[np.float64]:
    """1 for each image classified rightly, 0 for one classified wrongly, NaN for one not scored, in order."""
    right, scored = right_and_scored(records)
    return np.where(scored, right.astype(np.float64), np.nan)


def error(frame: pd.DataFrame) -> Estimate:
    """1 - accuracy."""
    a = accuracy(frame)
    return Estimate(1 - a.value, 1 - a.high, 1 - a.low, a.n, a.unscored)


def only(frames: Frames) -> pd.DataFrame:
    """The single condition of a suite that has one."""
    (frame,) = frames.values()
    return frame
