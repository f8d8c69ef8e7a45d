"""Keys of images: the seeds of all their random numbers."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
"""One key per image, uint64 [n]."""


def image_keys(seed: int, image_ids: Sequence[str], condition: str) -> Keys:
    """Return each image's key, uint64 [n]: BLAKE2b of (seed, image id, condition)."""
    texts = (f"{seed}\0{image_id}\0{condition}" for image_id in image_ids)
    return np.array(
        [int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest(), "little") for t in texts], dtype=np.uint64
    )
