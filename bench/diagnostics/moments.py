"""Count, mean and variance per channel: taken once from each batch, merged exactly in float64."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from bench.diagnostics.distances import Channels

CANCELLATION = 1e-2
"""Below this ratio of variance to squared mean, a variance from float32 sums would lose digits: it is taken anew in
float64."""


@dataclass(frozen=True)
class Moments:
    """`count` values a channel, their `mean` [c], and `m2` [c], the sum of their squared distances from it."""

    count: int
    mean: Channels
    m2: Channels

    @property
    def variance(self) -> Channels:
        """m2 / count [c], as batch norm normalises in training; of one value it is 0."""
        return self.m2 / max(self.count, 1)

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both sets of values together (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        count = self.count + other.count
        if not self.count or not other.count:
            return other if other.count else self
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / count)
        return Moments(count, mean, self.m2 + other.m2 + gap**2 * (self.count * other.count / count))


def merge_all(parts: Iterable[Moments]) -> Moments:
    """The moments of all values of `parts`, of which there is at least one."""
    return reduce(Moments.merge, parts)


def channel_moments(x: Tensor, axis: int = 1) -> Moments:
    """Moments of each channel of `x`, over all axes but `axis`, in any float dtype and on any device.

    On a CPU float32 sums of whole planes are merged in float64, which reads the activations at the memory's speed;
    channels whose variance those sums cannot resolve (`CANCELLATION`) are taken anew in float64.
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
    """Mean and variance [c], float64, of [n, c, places] from each plane's sum and norm."""
    n, c, places = rows.shape
    sums = (rows.reshape(n * c, places) @ rows.new_ones(places)).view(n, c).double()
    squares = torch.linalg.vector_norm(rows, dim=2).double().square()
    count = n * places
    mean = sums.sum(0) / count
    return mean, squares.sum(0) / count - mean**2


def _two_pass(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance [c], float64 on the CPU, of [n, c, places], the mean taken off before squaring."""
    variance, mean = torch.var_mean(rows, dim=(0, 2), correction=0)
    return mean.double().cpu(), variance.double().cpu()
