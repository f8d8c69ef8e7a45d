"""Identity as stored in results folders, and the comparison of two identities. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.02
"""Largest difference between outputs of one model on two machines, as a share of their standard deviation: float32
differs by 1e-5 to 1e-3, half precision by 1e-2."""


@dataclass(frozen=True)
class Identity:
    """Identity of a model. `exact` is a SHA-256 (hex); `probe` holds its logits on the probe, flattened, empty if it
    gives none or different ones on repetition."""

    exact: str
    probe: tuple[float, ...]


def alike(a: Sequence[float], b: Sequence[float]) -> bool:
    """Return whether two probes' outputs can be one model's on two machines."""
    if len(a) != len(b):
        return False
    one, other = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    spread = max(one.std(), other.std()) if len(one) else 0.0
    return bool((np.abs(one - other) <= TOLERANCE * spread).all())
