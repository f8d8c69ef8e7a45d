"""Distances between two sets of channel statistics. All functions are elementwise on float64 [c].

`eps` is the normalisation layer's. It is added to variances, as the layer does, so that constant channels have finite
distances.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Channels = NDArray[np.float64]
"""One float64 per channel: [c]."""

EPS = 1e-5
"""Default epsilon of torch's normalisation layers, used for networks without such layers."""


def standardised_shift(
    mean: Channels, to_mean: Channels, to_variance: Channels, eps: float | Channels = EPS
) -> Channels:
    """Return (mean - to_mean) / sqrt(to_variance + eps): the mean of the layer's output before its affine map."""
    return np.asarray((mean - to_mean) / np.sqrt(to_variance + eps))


def log_variance_ratio(variance: Channels, to_variance: Channels, eps: float | Channels = EPS) -> Channels:
    """Return ln((variance + eps) / (to_variance + eps))."""
    return np.asarray(np.log((variance + eps) / (to_variance + eps)))


def symmetric_kl(
    mean: Channels, variance: Channels, to_mean: Channels, to_variance: Channels, eps: float | Channels = EPS
) -> Channels:
    """Return KL(p, q) + KL(q, p) of two Gaussians, in nats (Jeffreys 1946)."""
    v, w, gap = variance + eps, to_variance + eps, (mean - to_mean) ** 2
    return np.asarray((v + gap) / (2 * w) + (w + gap) / (2 * v) - 1)


def wasserstein2(mean: Channels, variance: Channels, to_mean: Channels, to_variance: Channels) -> Channels:
    """Return the 2-Wasserstein distance of two Gaussians, sqrt((m - m')^2 + (s - s')^2), in the activations' unit."""
    return np.asarray(np.hypot(mean - to_mean, np.sqrt(variance) - np.sqrt(to_variance)))


class Pooled(NamedTuple):
    """Mean and variance [c] of a mixture."""

    mean: Channels
    variance: Channels


def pooled(mean: Channels, variance: Channels, other_mean: Channels, other_variance: Channels) -> Pooled:
    """Return mean and variance of an equal mixture of two domains: mean of the variances plus variance of the means."""
    between = ((mean - other_mean) / 2) ** 2
    return Pooled((mean + other_mean) / 2, (variance + other_variance) / 2 + between)


def between_share(
    mean: Channels, variance: Channels, other_mean: Channels, other_variance: Channels, eps: float | Channels = EPS
) -> Channels:
    """Return the between-domain share of the variance of an equal mixture of two domains, in [0, 1].

    It is 0 if the means agree and near 1 if one Gaussian cannot model both. A batch norm trained on both domains stores
    the mixture's variance (arXiv 1906.03787).
    """
    both = pooled(mean, variance, other_mean, other_variance)
    return np.asarray(((mean - other_mean) / 2) ** 2 / (both.variance + eps))
