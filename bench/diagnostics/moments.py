"""Count, mean and variance per channel: computed once per batch, merged in float64."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from bench.diagnostics.distances import Channels

CANCELLATION = 1e-2
"""Ratio of variance to squared mean below which float32 sums lose digits and the variance is recomputed in float64."""


@dataclass(frozen=True)
class Moments:
    """Number of values per channel `count`, their `mean` [c], and `m2` [c], the sum of squared deviations from it."""

    count: int
    mean: Channels
    m2: Channels

    @property
    def variance(self) -> Channels:
        """Biased variance m2 / count [c], as batch norm uses in training; 0 for a single value."""
        return self.m2 / max(self.count, 1)

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of the union of both sets of values (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        count = self.count + other.count
        if not self.count or not other.count:
            return other if other.count else self
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / count)
        return Moments(count, mean, self.m2 + other.m2 + gap**2 * (self.count * other.count / count))


def merge_all(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all values of `parts`, which must not be empty."""
    return reduce(Moments.merge, parts)


def channel_moments(x: Tensor, axis: int = 1) -> Moments:
    """Return the moments of each channel of `x`, over all axes but `axis`, for any float dtype and device.

    On a CPU, float32 sums over planes are merged in float64, limited only by memory bandwidth; channels whose variance
    these sums cannot resolve (`CANCELLATION`) are recomputed in float64.
    """
    rows = x.detach().movedim(axis, 1)
    rows = rows if rows.dtype in (torch.float32, torch.float64) else rows.float()
    rows = rows.T[None] if rows.ndim == 2 else rows.flatten(2)  # [n, c, places]
    count = rows.shape[0] * rows.shape[2]
    mean, variance = _from_planes(rows) if rows.device.type == "cpu" else _two_pass(rows)
    lost = ~(variance >= CANCELLATION * mean**2)
    if lost.any():
        mean[lost], variance[lost] = _two_pass(rows[:, lost].double())
    return Moments(count, mean.numpy(), variance.numpy() * count)


def _from_planes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance [c], float64, of [n, c, places] from each plane's sum and norm."""
    n, c, places = rows.shape
    sums = (rows.reshape(n * c, places) @ rows.new_ones(places)).view(n, c).double()
    squares = torch.linalg.vector_norm(rows, dim=2).double().square()
    count = n * places
    mean = sums.sum(0) / count
    return mean, squares.sum(0) / count - mean**2


def _two_pass(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance [c], float64 on the CPU, of [n, c, places]; the mean is subtracted before squaring."""
    variance, mean = torch.var_mean(rows, dim=(0, 2), correction=0)
    return mean.double().cpu(), variance.double().cpu()
