"""Keys of images: the seeds of all their random numbers."""

import hashlib
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.errors import UsageError

Keys = NDArray[np.uint64]
"""One key per image, uint64 [n]."""


def image_keys(seed: int, image_ids: Sequence[str], condition: str) -> Keys:
    """Return each image's key, uint64 [n]: BLAKE2b of (seed, image id, condition). Raises `UsageError` for a seed that
    is no whole number: 1.0 and "1" would draw other numbers than 1."""
    try:
        seed = -1 if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        seed = -1
    if seed < 0:
        raise UsageError("seed: expected a whole number of at least 0")
    texts = (f"{seed}\0{image_id}\0{condition}" for image_id in image_ids)
    return np.array(
        [int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest(), "little") for t in texts], dtype=np.uint64
    )
