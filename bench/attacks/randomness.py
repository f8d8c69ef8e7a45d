"""Random numbers keyed by image: neither batch, order, shard nor device changes an image's draws."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Generators = Sequence[np.random.Generator]
"""One generator per image."""


def generator(seed: int, image_id: str, stream: str, number: int) -> np.random.Generator:
    """Return the generator of one image in one trial, keyed by the search's stream and the trial's number (its restart
    and target).

    The key does not contain eps or the number of steps: along a security curve, and from PGD-20 to PGD-200, an image
    starts in the same direction, so that differences are due to the budget.
    """
    key = hashlib.blake2b("\0".join([str(seed), image_id, stream, str(number)]).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def uniform(generators: Generators, *shape: int) -> Tensor:
    """Return float32 [n, *shape], uniform in [0, 1), on the CPU."""
    return torch.from_numpy(np.stack([g.random(shape, dtype=np.float32) for g in generators]))


def normal(generators: Generators, *shape: int) -> Tensor:
    """Return float32 [n, *shape], standard normal, on the CPU."""
    return torch.from_numpy(np.stack([g.standard_normal(shape, dtype=np.float32) for g in generators]))


def signs(generators: Generators, *shape: int) -> Tensor:
    """Return float32 [n, *shape], -1 or 1 with equal probability, on the CPU."""
    return (uniform(generators, *shape) < 0.5).float() * 2 - 1
