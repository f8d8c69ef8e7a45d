"""Ranks that say no more than the images do: models that a paired test cannot part share a place."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.metrics.paired import holm, mcnemar_p

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
"""Probability of parting any two models of a column that are equally good, at most."""


def ranks(shares: "pd.DataFrame", *, higher_is_better: bool = True, level: float = LEVEL) -> dict[str, int]:
    """Places by the mean of each model's per-image shares (images x models; NaN where a model did not score one).

    All pairs are tested, Holm-corrected together: testing the best alone against the others would forget that these
    very images chose it. The best opens a group; the others follow it in order until one differs from it, and that
    one opens the next. Sharing a place is no proof of being equal.
    """
    means = shares.mean() * (1 if higher_is_better else -1)
    order = sorted(shares.columns, key=lambda name: (-means[name], name))
    apart = adjusted_p(shares[order].to_numpy(dtype=float)) < level
    places: dict[str, int] = {}
    leader = 0
    for i, name in enumerate(order):
        leader = i if apart[leader, i] else leader
        places[name] = leader + 1
    return places


def adjusted_p(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """p of every pair of models, [models, models], from shares [images, models], Holm-corrected over all pairs.

    These models under one condition and protocol are the family of comparisons, wherever its verdicts are shown.
    """
    p = paired_p(shares)
    upper = np.triu_indices(len(p), 1)
    adjusted = np.ones_like(p)
    adjusted[upper] = holm(p[upper])
    return np.minimum(adjusted, adjusted.T)


def paired_p(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided p of every pair of models, [models, models], from per-image shares [images, models].

    NaN is an image that a model did not score: each pair is tested on the images that both scored. McNemar's exact
    test where every share is 0 or 1, else the paired t-test; 1 where no image differs.
    """
    return _mcnemar(shares) if is_binary(shares) else _t_test(shares)


def is_binary(shares: NDArray[np.float64]) -> bool:
    """Whether every scored image is right or wrong."""
    return bool((np.isin(shares, (0.0, 1.0)) | np.isnan(shares)).all())


def alone(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many images are right under model i and wrong under j, [models, models], of shares of 0, 1 or NaN."""
    return np.asarray(np.rint((shares == 1).T.astype(float) @ (shares == 0).astype(float)))


def _mcnemar(right: NDArray[np.float64]) -> NDArray[np.float64]:
    only = alone(right)
    return mcnemar_p(only, only.T)


class PairedMeans(NamedTuple):
    """The mean difference of every pair of models, [models, models], row less column, its standard error (NaN for
    fewer than two images), and the number of images that both scored."""

    difference: NDArray[np.float64]
    error: NDArray[np.float64]
    n: NDArray[np.float64]


def paired_means(shares: NDArray[np.float64]) -> PairedMeans:
    """The mean differences of shares [images, models], each pair on the images that both scored."""
    seen = ~np.isnan(shares)
    known = seen.astype(float)
    centre = np.where(seen, shares, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    centred = np.where(seen, shares - centre, 0.0)
    n = known.T @ known
    with np.errstate(divide="ignore", invalid="ignore"):
        first = centred.T @ known
        moved = (first - first.T) / n
        second = (centred**2).T @ known
        total = second + second.T
        squares = total - 2 * centred.T @ centred - n * moved**2
        squares[squares < 1e-12 * total] = 0.0  # what rounding leaves of models that always differ by the same
        error = np.sqrt(squares / np.where(n > 1, n - 1, np.nan) / n)
    return PairedMeans(moved + centre[:, None] - centre, error, n)


def _t_test(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import stdtr

    found = paired_means(shares)
    mean = np.abs(found.difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(mean < 1e-12, 0.0, mean / found.error)
        p = np.asarray(2 * stdtr(found.n - 1, -statistic))
    return np.where(found.n > 1, p, 1.0)
