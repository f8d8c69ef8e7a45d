"""How far two ways of summing may lie apart: tests take their tolerances from here, not from the machine at hand.

AVX2, AVX-512, AMD's and Intel's kernels add in different orders and fuse or do not fuse multiply and add.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def gamma(n: int, dtype: torch.dtype = torch.float32) -> float:
    """Largest error of a sum of `n` products in any order, over the sum of their absolute values (Higham, Accuracy and
    Stability of Numerical Algorithms, 2002, eq. 3.5)."""
    u = torch.finfo(dtype).eps / 2
    return n * u / (1 - n * u)


def variance_error(values: Tensor, places: int) -> np.ndarray:
    """Largest relative error [c] of E[x^2] - E[x]^2 of `values` [n, c, ...] from float32 sums of `places`."""
    x = values.double().movedim(1, 0).flatten(1).numpy()
    squares, mean, size = (x**2).mean(1), np.abs(x.mean(1)), np.abs(x).mean(1)
    return (gamma(places + 2) * squares + 2 * gamma(places) * size * mean) / x.var(1)


def assert_same_moments(found: tuple[Any, Any], expected: tuple[Any, Any], places: int, products: int) -> None:
    """Mean and variance [c] each, both from float32 sums of `places`, over values that sums of `products` made.

    `products` counts twice: two kernels may have made the values, and values of no more than four times their root
    mean square are what a batch holds.
    """
    mean, variance = (np.asarray(x) for x in expected)
    spread = np.sqrt(variance + mean**2)
    far = 2 * gamma(places + 2) + 8 * gamma(products)
    assert (np.abs(np.asarray(found[0]) - mean) <= far * spread).all()
    assert (np.abs(np.asarray(found[1]) - variance) <= 3 * far * spread**2).all()
