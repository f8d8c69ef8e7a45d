"""Ranks that say no more than the images do: models that a paired test cannot part share a place."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics.paired import holm, mcnemar_p

LEVEL = 0.05
"""Probability of parting any two models of a column that are equally good, at most."""


def ranks(shares: pd.DataFrame, *, higher_is_better: bool = True, level: float = LEVEL) -> dict[str, int]:
    """Places by the mean of each model's per-image shares (images x models, no gaps).

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

    McNemar's exact test where every share is 0 or 1, else the paired t-test; 1 where no image differs.
    """
    return _mcnemar(shares) if np.isin(shares, (0.0, 1.0)).all() else _t_test(shares)


def _mcnemar(right: NDArray[np.float64]) -> NDArray[np.float64]:
    both = np.rint(right.T @ right)
    alone = np.diag(both)[:, None] - both  # alone[i, j]: images right under i and not under j
    return mcnemar_p(alone, alone.T)


def _t_test(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    n, models = shares.shape
    if n < 2:
        return np.ones((models, models))
    covariance = np.atleast_2d(np.cov(shares, rowvar=False))
    own = np.diag(covariance)
    total = own[:, None] + own
    variance = total - 2 * covariance
    variance[variance < 1e-12 * total] = 0.0  # what rounding leaves of models that always differ by the same
    mean = np.abs(shares.mean(0)[:, None] - shares.mean(0))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(mean < 1e-12, 0.0, mean / np.sqrt(variance / n))
    from scipy.special import stdtr

    return np.asarray(2 * stdtr(n - 1, -statistic))
