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
    """Draw one standard normal number per value of the image."""
    return {"normal": stream.normal(setting.height, setting.width, 3)}


def draw_uniform(stream: Stream, setting: Setting[Any]) -> Draws:
    """Draw one uniform number per value of the image."""
    return {"uniform": stream.uniform(setting.height, setting.width, 3)}


def gaussian_noise(x: Tensor, setting: Setting[float], normal: Tensor) -> Tensor:
    """Gaussian noise: x + N(0, c), c being the standard deviation."""
    return x.float().add_(normal, alpha=255 * setting.c)


def speckle_noise(x: Tensor, setting: Setting[float], normal: Tensor) -> Tensor:
    """Speckle noise: x + x * N(0, c), c being the standard deviation."""
    return x * (normal * setting.c).add_(1)


def impulse_noise(x: Tensor, setting: Setting[float], uniform: Tensor) -> Tensor:
    """Impulse noise: replace a share c of the values, half by 1 and half by 0, as in skimage's random_noise."""
    return x.masked_fill(uniform < setting.c, 0).masked_fill_(uniform < setting.c / 2, 255)


def shot_noise(x: Tensor, setting: Setting[int], uniform: Tensor) -> Tensor:
    """Shot noise: Poisson(c * x) / c, by inversion of `uniform`; counts above c become white."""
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
    """Tables for the inversion: `cdf` [256, c] is P(count <= k) by grey level; `start` [256, 256] the smallest count by
    the first byte of u."""

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
