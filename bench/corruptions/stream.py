"""Random draws of a batch; each image's draws depend only on its own key.

Every image has a Philox counter-based generator (Salmon et al. 2011) keyed by (seed, image id, condition), so batch,
order, worker and machine change nothing. All draws are made of uniform words.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions.keys import Keys


class Stream:
    """Random draws for `n` images; streams with equal keys give equal numbers for the same sequence of calls."""

    def __init__(self, keys: Keys, device: torch.device | None = None) -> None:
        self._bits = [np.random.Philox(key=int(key)) for key in keys]
        self._device = device or torch.device("cpu")

    def uniform(self, *shape: int) -> Tensor:
        """Draw uniform float32 [n, *shape] in [0, 1), multiples of 2^-24."""
        return self._signed(shape).mul_(2.0**-24).add_(0.5)

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal float32 [n, *shape], by inversion; |z| is at most 5.3."""
        return self._signed(shape).mul_(2.0**-23).add_(2.0**-24).erfinv_().mul_(math.sqrt(2.0))

    def integers(self, bound: int, *shape: int) -> Tensor:
        """Draw int8 [n, *shape] in 0..bound-1, bound at most 127, from 16 bits each (bias below bound / 65536)."""
        words = self._words(shape, np.uint16)
        return torch.from_numpy((words.astype(np.uint32) * np.uint32(bound) >> 16).astype(np.int8)).to(self._device)

    def _signed(self, shape: Sequence[int]) -> Tensor:
        """Draw float32 [n, *shape], integers in [-2^23, 2^23)."""
        words = torch.from_numpy(self._words(shape, np.int32)).to(self._device)
        return words.bitwise_right_shift_(8).float()

    def _words(self, shape: Sequence[int], dtype: type[np.integer]) -> NDArray[np.integer]:
        count = math.prod(shape)
        raw = [bits.random_raw(-(-count * np.dtype(dtype).itemsize // 8)).view(dtype)[:count] for bits in self._bits]
        return np.stack(raw).reshape(len(raw), *shape)
