"""Accuracy and error of one condition."""

import pandas as pd

from bench.metrics.base import Frames
from bench.metrics.estimate import Estimate, wilson


def correct(frame: pd.DataFrame) -> pd.Series:
    """Whether each scored image was classified rightly; index is the image id."""
    scored = frame if frame["scored"].all() else frame[frame["scored"]]  # filtering copies every column
    right = scored["prediction"].to_numpy() == scored["label"].to_numpy()
    return pd.Series(right.astype(bool), index=pd.Index(scored["image_id"]))


def accuracy(frame: pd.DataFrame) -> Estimate:
    """Share of scored images classified rightly, in [0, 1], with Wilson's interval."""
    hits = correct(frame)
    n, k = len(hits), int(hits.sum())
    low, high = wilson(k, n)
    return Estimate(k / n if n else float("nan"), low, high, n, int(len(frame) - n))


def error(frame: pd.DataFrame) -> Estimate:
    """1 - accuracy."""
    a = accuracy(frame)
    return Estimate(1 - a.value, 1 - a.high, 1 - a.low, a.n, a.unscored)


def only(frames: Frames) -> pd.DataFrame:
    """The single condition of a suite that has one."""
    (frame,) = frames.values()
    return frame
