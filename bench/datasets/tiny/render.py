"""One image: background, clutter, an object with its shading, an occluder, the texture and the camera's noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.datasets.tiny.draws import Draws, Floats
from bench.datasets.tiny.shapes import SILHOUETTES
from bench.datasets.tiny.textures import texture

SIZE = 32
CLUTTER = 3
_DRAWN = tuple(SILHOUETTES.values())
_AXIS = np.arange(SIZE, dtype=np.float32)
X, Y = np.broadcast_to(_AXIS, (SIZE, SIZE)), np.broadcast_to(_AXIS[:, None], (SIZE, SIZE))
"""Pixel coordinates float32 [32, 32]."""


@dataclass(frozen=True)
class Look:
    """How hard an image is. Ranges are (low, high); colours in units of [0, 1], lengths in pixels.

    contrast: of the object against the background, mean over channels; occlusion: probability of an occluder;
    amplitude: of the texture within the object, in units of 1/255; outside: its share outside the object
    """

    contrast: tuple[float, float] = (0.20, 0.60)
    occlusion: float = 0.3
    amplitude: tuple[float, float] = (7.0, 12.0)
    outside: float = 0.8
    scale: tuple[float, float] = (8.5, 13.0)
    blur: tuple[float, float] = (0.6, 1.8)


def render(draws: Draws, labels: NDArray[np.int64], textures: NDArray[np.int64], look: Look) -> NDArray[np.uint8]:
    """Images uint8 [n, 32, 32, 3] of the shapes `labels` [n] with the textures `textures` [n]."""
    base = draws.uniform("background", 0.3, 0.7, 3)[:, None, None, :]
    behind = _background(draws, base)
    mask = _object(draws, labels, look)[..., None]
    picture: Floats = behind + mask * (np.float32(0.65) * (base - behind) + _paint(draws, look))
    picture = _occlude(draws, picture, base, look.occlusion)
    strength = draws.uniform("texture strength", *look.amplitude)[:, None, None, None] / np.float32(255)
    strength = strength * (np.float32(look.outside) + np.float32(1 - look.outside) * mask)
    picture = picture * _light(draws) + strength * texture(draws, textures, X, Y)[..., None]
    picture = picture + draws.normal("noise", 3 / 255, SIZE, SIZE, 3)
    return np.rint(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)


def _paint(draws: Draws, look: Look) -> Floats:
    """[n, 1, 1, 3], what the object adds to the colour behind it: a random direction times the contrast."""
    direction = draws.normal("paint direction", 1.0, 3)
    size = (np.abs(direction[:, 0]) + np.abs(direction[:, 1]) + np.abs(direction[:, 2])) / np.float32(3)
    contrast = draws.uniform("contrast", *look.contrast)
    return (direction * (contrast / (size + np.float32(1e-3)))[:, None])[:, None, None, :]


def _light(draws: Draws) -> Floats:
    """[n, 32, 32, 1], near 1: brightness and a shade that falls across the image."""
    level = draws.uniform("light", 0.88, 1.12)[:, None, None]
    slope = draws.normal("shade", 0.08, 2)[:, :, None, None]
    centred = np.float32(SIZE / 2)
    shade = (slope[:, 0] * (X - centred) + slope[:, 1] * (Y - centred)) / centred
    return (level + shade)[..., None]


def _background(draws: Draws, base: Floats) -> Floats:
    """[n, 32, 32, 3]: a colour gradient, cloudy colour noise, and a few soft blobs and boxes."""
    slope = draws.normal("gradient", 0.12, 2, 1, 1, 3)
    half = np.float32(SIZE / 2)
    picture = base + (slope[:, 0] * (X[..., None] - half) + slope[:, 1] * (Y[..., None] - half)) / half
    picture = picture + _enlarge(draws.normal("clouds", 0.08, 4, 4, 3))
    for index in range(CLUTTER):
        picture = picture + _clutter(draws, f"clutter {index}")
    return picture


def _clutter(draws: Draws, name: str) -> Floats:
    """[n, 32, 32, 3], one soft disc or box, present with probability 0.7."""
    centre = draws.uniform(f"{name} centre", 0, SIZE, 2)[:, :, None, None]
    half = draws.uniform(f"{name} size", 2.5, 7.0, 2)[:, :, None, None]
    u, v = (X - centre[:, 0]) / half[:, 0], (Y - centre[:, 1]) / half[:, 1]
    round_, boxed = np.sqrt(u * u + v * v), np.maximum(np.abs(u), np.abs(v))
    shape = np.where(draws.chance(f"{name} round", 0.5)[:, None, None], round_, boxed)
    colour = draws.normal(f"{name} colour", 0.12, 3) * draws.chance(f"{name} present", 0.7)[:, None]
    return _soft((shape - np.float32(1)) * np.float32(5), 2.0)[..., None] * colour[:, None, None, :]


def _object(draws: Draws, labels: NDArray[np.int64], look: Look) -> Floats:
    """[n, 32, 32], how much of each pixel the object covers."""
    scale = draws.uniform("scale", *look.scale)[:, None, None]
    centre = draws.uniform("centre", 11.5, 19.5, 2)[:, :, None, None]
    half_tangent = draws.uniform("turn", -0.3, 0.3)[:, None, None]  # tan(a / 2), so a within 33 degrees
    square = half_tangent * half_tangent
    cos, sin = (1 - square) / (1 + square), 2 * half_tangent / (1 + square)
    x, y = (X - centre[:, 0]) / scale, (Y - centre[:, 1]) / scale
    u, v = cos * x + sin * y, cos * y - sin * x
    distance = np.empty_like(u)
    for label, silhouette in enumerate(_DRAWN):
        chosen = labels == label
        distance[chosen] = silhouette(u[chosen], v[chosen])
    return _soft(distance * scale, draws.uniform("blur", *look.blur)[:, None, None])


def _occlude(draws: Draws, picture: Floats, base: Floats, probability: float) -> Floats:
    """The image behind a bar of 3 to 8 pixels' width, with `probability`."""
    centre = draws.uniform("occluder centre", 8.0, 24.0, 2)[:, :, None, None]
    half_width = draws.uniform("occluder width", 1.5, 4.0)[:, None, None]
    half_length = draws.uniform("occluder length", 4.0, 11.0)[:, None, None]
    upright = draws.chance("occluder upright", 0.5)[:, None, None]
    along, across = np.abs(Y - centre[:, 1]), np.abs(X - centre[:, 0])
    width, length = np.where(upright, across, along), np.where(upright, along, across)
    cover = _soft(np.maximum(width - half_width, length - half_length), 0.8)
    cover = (cover * draws.chance("occluded", probability)[:, None, None])[..., None]
    colour = base + draws.normal("occluder colour", 0.2, 3)[:, None, None, :]
    return picture + cover * (colour - picture)


def _soft(distance: Floats, width: Floats | float) -> Floats:
    """1 well inside (distance below -width), 0 well outside, a smooth step between."""
    t: Floats = np.clip(np.float32(0.5) - distance / (np.float32(2) * width), 0, 1).astype(np.float32)
    step: Floats = t * t * (np.float32(3) - np.float32(2) * t)
    return step


def _enlarge(grid: Floats) -> Floats:
    """Bilinear enlargement of [n, 4, 4, c] to [n, 32, 32, c], corner to corner."""
    place = _AXIS * np.float32((grid.shape[1] - 1) / (SIZE - 1))
    low = np.minimum(place.astype(np.int64), grid.shape[1] - 2)
    part = (place - low.astype(np.float32))[:, None]
    rows: Floats = grid[:, low] + (grid[:, low + 1] - grid[:, low]) * part[:, :, None]
    enlarged: Floats = rows[:, :, low] + (rows[:, :, low + 1] - rows[:, :, low]) * part
    return enlarged
