"""An identity as results folders keep it, and when two may be one model's. Stands without torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.02
"""By which answers of one model may differ, as a share of their standard deviation: float32 differs by 1e-5 to 1e-3
between machines, half precision by 1e-2."""


@dataclass(frozen=True)
class Identity:
    """What a model is. `exact` is a SHA-256 (hex); `probe` its logits, one after the other, empty where it gives none
    or never the same."""

    exact: str
    probe: tuple[float, ...]


def alike(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two probes' answers may be one model's on two machines."""
    if len(a) != len(b):
        return False
    one, other = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    spread = max(one.std(), other.std()) if len(one) else 0.0
    return bool((np.abs(one - other) <= TOLERANCE * spread).all())
