"""Ten surface textures, one for each class: faint gratings that a linear filter can tell apart.

They are the "well-generalising, yet brittle" features of arXiv 1905.02175: more predictable than the silhouette, and
so weak that a perturbation of 8/255 removes or replaces them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.datasets.tiny.draws import Draws, Floats


@dataclass(frozen=True)
class Grating:
    """A wave of `period` pixels along the unit vector (x, y); `check` multiplies it with the one across."""

    period: float
    x: float
    y: float
    check: bool = False


# Fine waves at 0, 36, ..., 144 degrees, coarser ones at 18, 63, 108, 153 degrees, and a check: directions as literals,
# since a cosine's last digit depends on the machine.
TEXTURES: tuple[Grating, ...] = (
    Grating(3.4, 1.0, 0.0),
    Grating(3.4, 0.809017, 0.587785),
    Grating(3.4, 0.309017, 0.951057),
    Grating(3.4, -0.309017, 0.951057),
    Grating(3.4, -0.809017, 0.587785),
    Grating(5.2, 0.951057, 0.309017),
    Grating(5.3, 0.453990, 0.891007),
    Grating(5.5, -0.309017, 0.951057),
    Grating(5.6, -0.891007, 0.453990),
    Grating(4.2, 1.0, 0.0, check=True),
)
_TABLE = np.array([(t.period, t.x, t.y, t.check) for t in TEXTURES], dtype=np.float32)

PERIOD_JITTER = 0.03
ANGLE_JITTER = 0.04
"""Largest relative change of the period, and of the angle in radians."""


def wave(cycles: Floats) -> Floats:
    """A smooth wave of period 1 and amplitude 1: parabolas in place of the sine (within 0.06 of it)."""
    t = np.float32(2) * (cycles - np.floor(cycles)) - np.float32(1)
    height: Floats = np.float32(4) * t * (np.float32(1) - np.abs(t))
    return height


def texture(draws: Draws, labels: NDArray[np.int64], x: Floats, y: Floats) -> Floats:
    """float32 [n, h, w] in [-1, 1]: the textures of `labels` [n] over pixel coordinates x [h, w], y [h, w]."""
    period, dx, dy, check = (_TABLE[labels, column][:, None, None] for column in range(4))
    angle = draws.uniform("texture angle", -ANGLE_JITTER, ANGLE_JITTER)[:, None, None]
    stretch = draws.uniform("texture period", 1 - PERIOD_JITTER, 1 + PERIOD_JITTER)[:, None, None]
    phase = draws.uniform("texture phase", 0.0, 1.0, 2)[:, :, None, None]
    dx, dy = dx - angle * dy, dy + angle * dx  # a rotation, to first order
    along = wave((x * dx + y * dy) / (period * stretch) + phase[:, 0])
    across = wave((y * dx - x * dy) / (period * stretch) + phase[:, 1])
    pattern: Floats = np.where(check > 0, along * across, along)
    return pattern
