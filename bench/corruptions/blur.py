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
"""Grey levels: above what float32 loses in a blur, so that truncation leaves a flat area at its own level."""


def gaussian_blur(x: Tensor, setting: Setting[float]) -> Tensor:
    """Gaussian of sigma c."""
    return filters.gaussian(x.float(), setting.c).add_(_GUARD)


def defocus_blur(x: Tensor, setting: Setting[Disk]) -> Tensor:
    """Correlation with a disk whose edge is softened."""
    return filters.correlate(x.float(), disk(*setting.c))


def disk(radius: float, softness: float) -> NDArray[np.float64]:
    """Normalised disk [17, 17], or [2r+1, 2r+1] above radius 8, blurred within its own square as the original does."""
    reach, size = (8, 3) if radius <= 8 else (int(radius), 5)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = (x**2 + y**2 <= radius**2).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(inside / inside.sum(), ksize=(size, size), sigmaX=softness), dtype=np.float64)


def draw_motion(stream: Stream, setting: Setting[LineBlur]) -> Draws:  # noqa: ARG001
    """The direction, in degrees from the horizontal."""
    return {"angle": stream.uniform() * 90 - 45}


def motion_blur(x: Tensor, setting: Setting[LineBlur], angle: Tensor) -> Tensor:
    """A streak along `angle` [n] degrees."""
    return filters.streak(x.float(), setting.c.radius, setting.c.sigma, angle)


_BLOCK = 8
"""Images in a product: the last bits of a sparse product depend on its width, which the batch must not change."""


def zoom_blur(x: Tensor, setting: Setting[Zoom]) -> Tensor:
    """The mean of the image and of its centre at growing magnifications."""
    n, h, w, channels = x.shape
    operator = filters.zoom_blur_operator(h, w, setting.c.stop, setting.c.step, x.device)
    full = -(-n // _BLOCK) * _BLOCK
    columns = torch.zeros(h * w, full, channels, device=x.device)
    columns[:, :n] = x.reshape(n, h * w, channels).transpose(0, 1)
    return (operator @ columns.flatten(1)).reshape(h, w, full, channels)[:, :, :n].permute(2, 0, 1, 3)


def draw_glass(stream: Stream, setting: Setting[Glass]) -> Draws:
    """Draw for each round and pixel which of the (2 * reach)^2 pixels about it is copied over it."""
    reach, rounds = setting.c.reach, setting.c.rounds
    inner = (setting.height - 2 * reach) * (setting.width - 2 * reach)
    return {"source": stream.integers((2 * reach) ** 2, rounds, inner)}


def glass_blur(x: Tensor, setting: Setting[Glass], source: Tensor) -> Tensor:
    """Blur, displace, blur. `source` int8 [n, rounds, pixels] counts (dy, dx) from (-reach, -reach), row by row.

    Pixels come from the last inner one to the first. The original means to swap two pixels but, the operands being
    views, copies one over the other; so does this.
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
