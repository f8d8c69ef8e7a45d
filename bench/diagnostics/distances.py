"""How far apart two sets of channel statistics are. All functions are elementwise on float64 [c].

`eps` is the normalisation layer's own: it divides by sqrt(variance + eps), so that is the variance that it sees, and a
constant channel has a finite distance.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Channels = NDArray[np.float64]
"""One float64 a channel: [c]."""

EPS = 1e-5
"""Epsilon of torch's normalisation layers; used where a network has none."""


def standardised_shift(
    mean: Channels, to_mean: Channels, to_variance: Channels, eps: float | Channels = EPS
) -> Channels:
    """(mean - to_mean) / sqrt(to_variance + eps): the mean of what the layer hands on, 0 where its statistics fit."""
    return np.asarray((mean - to_mean) / np.sqrt(to_variance + eps))


def log_variance_ratio(variance: Channels, to_variance: Channels, eps: float | Channels = EPS) -> Channels:
    """ln((variance + eps) / (to_variance + eps))."""
    return np.asarray(np.log((variance + eps) / (to_variance + eps)))


def symmetric_kl(
    mean: Channels, variance: Channels, to_mean: Channels, to_variance: Channels, eps: float | Channels = EPS
) -> Channels:
    """KL(p, q) + KL(q, p) of two Gaussians (Jeffreys 1946), in nats."""
    v, w, gap = variance + eps, to_variance + eps, (mean - to_mean) ** 2
    return np.asarray((v + gap) / (2 * w) + (w + gap) / (2 * v) - 1)


def wasserstein2(mean: Channels, variance: Channels, to_mean: Channels, to_variance: Channels) -> Channels:
    """2-Wasserstein distance of two Gaussians, in the activations' unit: sqrt((m - m')^2 + (s - s')^2)."""
    return np.asarray(np.hypot(mean - to_mean, np.sqrt(variance) - np.sqrt(to_variance)))


class Pooled(NamedTuple):
    """Mean and variance [c] of a mixture."""

    mean: Channels
    variance: Channels


def pooled(mean: Channels, variance: Channels, other_mean: Channels, other_variance: Channels) -> Pooled:
    """Mean and variance of an equal mixture of two domains: the variance is the mean of theirs plus that of means."""
    between = ((mean - other_mean) / 2) ** 2
    return Pooled((mean + other_mean) / 2, (variance + other_variance) / 2 + between)


def between_share(
    mean: Channels, variance: Channels, other_mean: Channels, other_variance: Channels, eps: float | Channels = EPS
) -> Channels:
    """Share of an equal mixture's variance that lies between its two domains, in [0, 1]: 0 where their means agree,
    towards 1 where one Gaussian cannot stand for both. The variance of a batch norm fed on both (arXiv 1906.03787)."""
    both = pooled(mean, variance, other_mean, other_variance)
    return np.asarray(((mean - other_mean) / 2) ** 2 / (both.variance + eps))
