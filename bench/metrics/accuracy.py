"""Accuracy and error of one condition."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics.base import Frames
from bench.metrics.estimate import Estimate, wilson


def correct(frame: pd.DataFrame) -> pd.Series:
    """Whether each scored image was classified rightly; index is the image id."""
    scored = frame["scored"].to_numpy(dtype=bool)
    ids = frame["image_id"] if scored.all() else frame["image_id"][scored]
    return pd.Series(_right(frame)[scored], index=pd.Index(ids))


def _right(frame: pd.DataFrame) -> NDArray[np.bool_]:
    return np.asarray(frame["prediction"].to_numpy() == frame["label"].to_numpy(), dtype=bool)


def accuracy(frame: pd.DataFrame) -> Estimate:
    """Share of scored images classified rightly, in [0, 1], with Wilson's interval."""
    scored = frame["scored"].to_numpy(dtype=bool)
    n, k = int(scored.sum()), int((_right(frame) & scored).sum())
    low, high = wilson(k, n)
    return Estimate(k / n if n else float("nan"), low, high, n, int(len(frame) - n))


def in_order(frame: pd.DataFrame) -> NDArray[np.float64]:
    """1 for each scored image classified rightly, else 0, in the order of measurement."""
    return np.asarray(_right(frame)[frame["scored"].to_numpy(dtype=bool)], dtype=np.float64)


def error(frame: pd.DataFrame) -> Estimate:
    """1 - accuracy."""
    a = accuracy(frame)
    return Estimate(1 - a.value, 1 - a.high, 1 - a.low, a.n, a.unscored)


def only(frames: Frames) -> pd.DataFrame:
    """The single condition of a suite that has one."""
    (frame,) = frames.values()
    return frame
