"""Gaussian, shot, impulse and speckle noise."""

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions.method import Draws, Method, Setting
from bench.corruptions.stream import Stream


def draw_normal(stream: Stream, setting: Setting[Any]) -> Draws:
    """One standard normal a value."""
    return {"normal": stream.normal(setting.height, setting.width, 3)}


def draw_uniform(stream: Stream, setting: Setting[Any]) -> Draws:
    """One uniform number a value."""
    return {"uniform": stream.uniform(setting.height, setting.width, 3)}


def gaussian_noise(x: Tensor, setting: Setting[float], normal: Tensor) -> Tensor:
    """x + N(0, c)."""
    return x.float().add_(normal, alpha=255 * setting.c)


def speckle_noise(x: Tensor, setting: Setting[float], normal: Tensor) -> Tensor:
    """x + x * N(0, c)."""
    return x * (normal * setting.c).add_(1)


def impulse_noise(x: Tensor, setting: Setting[float], uniform: Tensor) -> Tensor:
    """A share c of the values is replaced, half of them by salt and half by pepper, as in skimage's random_noise."""
    return x.masked_fill(uniform < setting.c, 0).masked_fill_(uniform < setting.c / 2, 255)


def shot_noise(x: Tensor, setting: Setting[int], uniform: Tensor) -> Tensor:
    """Poisson(c * x) / c, by inversion of `uniform`; counts above c are white."""
    table = _poisson_table(setting.c)
    if x.device.type != "cpu":
        flat = torch.from_numpy(table.cdf + np.arange(256)[:, None]).to(x.device)
        counts = torch.searchsorted(flat.flatten(), x + uniform.double(), right=True) - setting.c * x.long()
    else:
        from bench.corruptions.compiled import invert

        levels, draws = x.contiguous().numpy().ravel(), uniform.contiguous().numpy().ravel()
        counts = torch.from_numpy(invert(levels, draws, table.cdf, table.start)).view(x.shape)
    return counts * (255 / setting.c)


class _PoissonTable:
    """`cdf` [256, c]: P(count <= k) by grey level; `start` [256, 256]: the count where u's first byte begins."""

    def __init__(self, c: int) -> None:
        from scipy.special import pdtr

        rate = np.arange(256)[:, None] / 255 * c
        self.cdf: NDArray[np.float32] = pdtr(np.arange(c)[None], rate).astype(np.float32)
        edges = np.arange(256, dtype=np.float32) / 256
        self.start = np.stack([np.searchsorted(row, edges, side="right") for row in self.cdf]).astype(np.int16)


@functools.cache
def _poisson_table(c: int) -> _PoissonTable:
    return _PoissonTable(c)


METHODS = {
    "gaussian_noise": Method(gaussian_noise, draw_normal),
    "shot_noise": Method(shot_noise, draw_uniform),
    "impulse_noise": Method(impulse_noise, draw_uniform),
    "speckle_noise": Method(speckle_noise, draw_normal),
}
