"""Stability over the frames of a film: flip rate and top-5 distance (Hendrycks & Dietterich 2019, arXiv 1903.12261).

As hendrycks/robustness, ImageNet-P/test.py at difficulty 1: noise is held against the first frame, anything else
against the frame before.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.metrics.base import Frames, MissingConditionError, require_columns
from bench.metrics.estimate import Estimate, mean_estimate, mean_over
from bench.naming import film_of, frame_of

if TYPE_CHECKING:
    import pandas as pd

TOP = ("prediction", "prediction_2", "prediction_3", "prediction_4", "prediction_5")
"""Columns of the five likeliest classes of a frame, in order."""

Distance = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""From the five classes of frames [n, 5] and of those they are held against, a number a frame [n]."""


def flips(frame: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Whether the first class differs."""
    return np.asarray(frame[:, 0] != other[:, 0], dtype=float)


def top5_distance(frame: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum, over the other's five classes at places i = 0..4, |i - the class's place in the frame|, 5 beyond."""
    same = other[:, :, None] == frame[:, None, :]
    place = np.where(same.any(axis=2), same.argmax(axis=2), 5)
    return np.asarray(np.abs(np.arange(5) - place).sum(axis=1), dtype=float)


def per_film(records: "pd.DataFrame", distance: Distance, *, noise: bool) -> "pd.Series":
    """The mean of `distance` over the frames of each film; films with a frame that was not scored, or with gaps between
    their frames, are left out."""
    import pandas as pd

    films, frame = records["image_id"].map(film_of), records["image_id"].map(frame_of)
    table = records.assign(film=films, frame=frame).sort_values(["film", "frame"], kind="stable")
    by_film = table.groupby("film")
    gapless = by_film["frame"].transform("max") < by_film["frame"].transform("size")
    whole = table[by_film["scored"].transform("all") & gapless]
    found = {}
    for film, frames in whole.groupby("film", sort=True):
        top = frames[list(TOP)].to_numpy(dtype=np.int64)
        against = np.broadcast_to(top[:1], top[1:].shape) if noise else top[:-1]
        found[film] = float(distance(top[1:], against).mean()) if len(top) > 1 else np.nan
    return pd.Series(found, dtype=float)


def stability(condition: str, distance: Distance, *, noise: bool) -> Callable[[Frames], Estimate]:
    """The mean over films of one perturbation, its condition's name `condition`."""

    def compute(frames: Frames) -> Estimate:
        import pandas as pd

        if condition not in frames:
            raise MissingConditionError(f"{condition} was not measured")
        records = pd.DataFrame(frames[condition])
        require_columns(records, *TOP)
        values = per_film(records, distance, noise=noise).dropna().to_numpy(dtype=float)
        if not len(values):
            raise MissingConditionError(f"{condition}: no film was scored whole")
        return mean_estimate(values, int((~records["scored"]).sum()))

    return compute


def mean_stability(conditions: dict[str, bool], distance: Distance) -> Callable[[Frames], Estimate]:
    """The mean over perturbations (condition's name -> whether it is noise), all of which have to be there. Films of
    one photograph are drawn together."""

    def compute(frames: Frames) -> Estimate:
        alone = [stability(name, distance, noise=noise)(frames) for name, noise in conditions.items()]
        values = [per_film(frames[name], distance, noise=noise).dropna() for name, noise in conditions.items()]
        return mean_over(values, sum(part.unscored for part in alone))

    return compute
