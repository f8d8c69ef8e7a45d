"""Ten silhouettes, each an implicit function d(u, v): negative inside, about the distance to the edge near it."""

from collections.abc import Callable

import numpy as np

from bench.datasets.tiny.draws import Floats

Silhouette = Callable[[Floats, Floats], Floats]
"""(u, v) float32 [n, h, w] in the object's own frame, u to the right, v down, half-size about 0.9 -> d [n, h, w]."""


def _radius(u: Floats, v: Floats) -> Floats:
    return np.sqrt(u * u + v * v)


def _meet(a: Floats, b: Floats) -> Floats:
    """Inside both."""
    d: Floats = np.maximum(a, b)
    return d


def _join(a: Floats, b: Floats) -> Floats:
    """Inside either."""
    d: Floats = np.minimum(a, b)
    return d


def _box(u: Floats, v: Floats, half_width: float, half_height: float) -> Floats:
    return _meet(np.abs(u) - np.float32(half_width), np.abs(v) - np.float32(half_height))


def disc(u: Floats, v: Floats) -> Floats:
    return _radius(u, v) - np.float32(0.8)


def ring(u: Floats, v: Floats) -> Floats:
    d: Floats = np.abs(_radius(u, v) - np.float32(0.62)) - np.float32(0.24)
    return d


def triangle(u: Floats, v: Floats) -> Floats:
    sides = np.float32(0.866) * np.abs(u) - np.float32(0.5) * v
    return _meet(v, sides) - np.float32(0.5)


def square(u: Floats, v: Floats) -> Floats:
    return _box(u, v, 0.72, 0.72)


def star(u: Floats, v: Floats) -> Floats:
    """r - (0.6 + 0.26 cos 5a), with cos 5a as the real part of (v + iu)^5 / r^5, so without trigonometry."""
    r = _radius(u, v) + np.float32(1e-3)
    c, s = -v / r, u / r
    c2, s2 = c * c - s * s, np.float32(2) * c * s
    c4, s4 = c2 * c2 - s2 * s2, np.float32(2) * c2 * s2
    edge: Floats = np.float32(0.6) + np.float32(0.26) * (c4 * c - s4 * s)
    return r - edge


def cross(u: Floats, v: Floats) -> Floats:
    return _join(_box(u, v, 0.26, 0.9), _box(u, v, 0.9, 0.26))


def crescent(u: Floats, v: Floats) -> Floats:
    bite = np.float32(0.62) - _radius(u - np.float32(0.42), v)
    return _meet(_radius(u, v) - np.float32(0.85), bite)


def bar(u: Floats, v: Floats) -> Floats:
    return _box(u, v, 0.28, 0.95)


def arrow(u: Floats, v: Floats) -> Floats:
    slope = np.float32(0.8) * np.abs(u) - np.float32(0.6) * (v + np.float32(0.95))
    head = _meet(v + np.float32(0.05), slope)
    return _join(head, _box(u, v - np.float32(0.4), 0.22, 0.5))


def hook(u: Floats, v: Floats) -> Floats:
    upright = _box(u + np.float32(0.38), v, 0.25, 0.85)
    return _join(upright, _box(u - np.float32(0.05), v - np.float32(0.6), 0.68, 0.25))


SILHOUETTES: dict[str, Silhouette] = {
    "disc": disc,
    "ring": ring,
    "triangle": triangle,
    "square": square,
    "star": star,
    "cross": cross,
    "crescent": crescent,
    "bar": bar,
    "arrow": arrow,
    "hook": hook,
}
