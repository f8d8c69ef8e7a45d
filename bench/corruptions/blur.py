"""Defocus, glass, motion, zoom and Gaussian blur."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions import filters
from bench.corruptions.constants import Disk, Glass, LineBlur, Zoom
from bench.corruptions.method import Draws, Method, Setting
from bench.corruptions.stream import Stream
from bench.opencv import cv2

_GUARD = 1e-4
"""Grey levels added before truncation. It exceeds float32's rounding in a blur, so that flat areas keep their level."""


def gaussian_blur(x: Tensor, setting: Setting[float]) -> Tensor:
    """Gaussian blur with sigma c, in pixels."""
    return filters.gaussian(x.float(), setting.c).add_(_GUARD)


def defocus_blur(x: Tensor, setting: Setting[Disk]) -> Tensor:
    """Defocus blur: correlation with a disk with a softened edge."""
    return filters.correlate(x.float(), disk(*setting.c))


def disk(radius: float, softness: float) -> NDArray[np.float64]:
    """Return a normalised disk [17, 17], or [2r+1, 2r+1] above radius 8, blurred within its square (as originally)."""
    reach, size = (8, 3) if radius <= 8 else (int(radius), 5)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = (x**2 + y**2 <= radius**2).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(inside / inside.sum(), ksize=(size, size), sigmaX=softness), dtype=np.float64)


def draw_motion(stream: Stream, setting: Setting[LineBlur]) -> Draws:  # noqa: ARG001
    """Draw the direction, in degrees from the horizontal."""
    return {"angle": stream.uniform() * 90 - 45}


def motion_blur(x: Tensor, setting: Setting[LineBlur], angle: Tensor) -> Tensor:
    """Motion blur along `angle` [n], in degrees."""
    return filters.streak(x.float(), setting.c.radius, setting.c.sigma, angle)


_BLOCK = 8
"""Images in each sparse product. Its last bits depend on its width, so the width is fixed for every batch size."""


def zoom_blur(x: Tensor, setting: Setting[Zoom]) -> Tensor:
    """Zoom blur: the mean of the image and of its magnified centres."""
    n, h, w, channels = x.shape
    operator = filters.zoom_blur_operator(h, w, setting.c.stop, setting.c.step, x.device)
    full = -(-n // _BLOCK) * _BLOCK
    columns = torch.zeros(h * w, full, channels, device=x.device)
    columns[:, :n] = x.reshape(n, h * w, channels).transpose(0, 1)
    return (operator @ columns.flatten(1)).reshape(h, w, full, channels)[:, :, :n].permute(2, 0, 1, 3)


def draw_glass(stream: Stream, setting: Setting[Glass]) -> Draws:
    """Draw, for each round and pixel, which of the (2 * reach)^2 neighbouring pixels is copied to it."""
    reach, rounds = setting.c.reach, setting.c.rounds
    inner = (setting.height - 2 * reach) * (setting.width - 2 * reach)
    return {"source": stream.integers((2 * reach) ** 2, rounds, inner)}


def glass_blur(x: Tensor, setting: Setting[Glass], source: Tensor) -> Tensor:
    """Glass blur: blur, displace, blur. `source` int8 [n, rounds, pixels] counts (dy, dx) row by row from
    (-reach, -reach).

    Pixels are processed from the last inner one to the first. The original's swap of two pixels copies one over the
    other, because its operands are views; this function does the same.
    """
    from bench.corruptions.compiled import displace

    sigma, reach, _ = setting.c
    blurred = filters.gaussian(x.float(), sigma).add_(_GUARD).to(torch.uint8).cpu().contiguous()
    displace(blurred.numpy(), source.cpu().numpy(), reach)
    return filters.gaussian(blurred.to(x.device).float(), sigma).add_(_GUARD)


METHODS = {
    "defocus_blur": Method(defocus_blur),
    "glass_blur": Method(glass_blur, draw_glass),
    "motion_blur": Method(motion_blur, draw_motion),
    "zoom_blur": Method(zoom_blur),
    "gaussian_blur": Method(gaussian_blur),
}
