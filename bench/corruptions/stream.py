"""Random draws of a batch, where each image's come from its own key alone.

Every image owns a Philox counter-based generator (Salmon et al. 2011) keyed by (seed, image id, condition), so batch,
order, worker and machine change nothing. Uniform words are the only primitive.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions.keys import Keys


class Stream:
    """Draws for `n` images; two streams with the same keys give the same numbers in the same order of calls."""

    def __init__(self, keys: Keys, device: torch.device | None = None) -> None:
        self._bits = [np.random.Philox(key=int(key)) for key in keys]
        self._device = device or torch.device("cpu")

    def uniform(self, *shape: int) -> Tensor:
        """float32 [n, *shape] in [0, 1), on a grid of 2^-24."""
        return self._signed(shape).mul_(2.0**-24).add_(0.5)

    def normal(self, *shape: int) -> Tensor:
        """float32 [n, *shape], standard normal by inversion; |z| is at most 5.3."""
        return self._signed(shape).mul_(2.0**-23).add_(2.0**-24).erfinv_().mul_(math.sqrt(2.0))

    def integers(self, bound: int, *shape: int) -> Tensor:
        """int8 [n, *shape] in 0..bound-1, bound at most 127, from 16 bits each (bias below bound / 65536)."""
        words = self._words(shape, np.uint16)
        return torch.from_numpy((words.astype(np.uint32) * np.uint32(bound) >> 16).astype(np.int8)).to(self._device)

    def _signed(self, shape: Sequence[int]) -> Tensor:
        """float32 [n, *shape]: whole numbers in [-2^23, 2^23)."""
        words = torch.from_numpy(self._words(shape, np.int32)).to(self._device)
        return words.bitwise_right_shift_(8).float()

    def _words(self, shape: Sequence[int], dtype: type[np.integer]) -> NDArray[np.integer]:
        count = math.prod(shape)
        raw = [bits.random_raw(-(-count * np.dtype(dtype).itemsize // 8)).view(dtype)[:count] for bits in self._bits]
        return np.stack(raw).reshape(len(raw), *shape)
