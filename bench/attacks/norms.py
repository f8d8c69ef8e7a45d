"""Geometry of norm balls: size, steepest step, projection, noise. Images are float [n, 3, h, w] in [0, 1]."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.attacks.budget import Norm

_TINY = 1e-12
_FAINT = 1e-9

_ROUNDS = 60
"""Bound on the steps of the projection onto the L1 ball, far above the usual ten or so."""


class Box(NamedTuple):
    """Lower and upper bound of each pixel, [n, 3, h, w] or [n, 1, 1, 1]."""

    low: Tensor
    high: Tensor


def per_image(values: Tensor) -> Tensor:
    """Reshape [n] -> [n, 1, 1, 1], to multiply images."""
    return values.view(-1, 1, 1, 1)


def size(delta: Tensor, norm: Norm) -> Tensor:
    """Return the norm of each perturbation: [n, 3, h, w] -> [n]."""
    values = flat(delta)
    if norm == "l2":
        length: Tensor = torch.linalg.vector_norm(values, dim=1)
        return length
    return values.abs().amax(1) if norm == "linf" else values.abs().sum(1)


def unit(delta: Tensor, norm: Norm) -> Tensor:
    """Scale each perturbation to norm 1 (zero stays zero)."""
    return delta / (per_image(size(delta, norm)) + _TINY)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """Return the step of norm 1 that increases a linear loss most: the sign for Linf, the normalised gradient for
    L2, the largest coordinate alone for L1."""
    if norm == "l1":
        values = flat(gradient).abs()
        largest = per_image(values.amax(1))
        return unit(gradient.sign() * (gradient.abs() == largest), "l1")
    return gradient.sign() if norm == "linf" else unit(_audible(gradient), norm)


def _audible(gradient: Tensor) -> Tensor:
    """Return the gradient, scaled for images on which all of it is so small that `unit` would shorten it."""
    largest = flat(gradient).abs().amax(1)
    faint = (largest > 0) & (largest < _FAINT)
    return gradient / per_image(torch.where(faint, largest, 1.0)) if faint.any() else gradient


def box(image: Tensor, eps: float, norm: Norm) -> Box:
    """Return the bounds of a perturbed image's values: for Linf from the budget, else [0, 1]."""
    if norm == "linf":
        return Box((image - eps).clamp_(0.0, 1.0), (image + eps).clamp_(0.0, 1.0))
    return anywhere(image)


def anywhere(image: Tensor) -> Box:
    """Return the bounds [0, 1]."""
    bound = image.new_zeros(len(image), 1, 1, 1)
    return Box(bound, bound + 1)


def into(x: Tensor, image: Tensor, limits: Box, eps: float, norm: Norm) -> Tensor:
    """Project `x` into the ball of radius `eps` around `image`, then into [0, 1] (for L1 into both at once);
    `limits` are those of `box`."""
    if norm == "l1":
        return into_l1(x, image, eps)
    if norm == "l2":
        delta = x - image
        x = image + delta * (eps / (per_image(size(delta, norm)) + _TINY)).clamp(max=1.0)
    return torch.clamp(x, limits.low, limits.high)


def into_l1(x: Tensor, image: Tensor, eps: float) -> Tensor:
    """Return the nearest point to `x` (in L2) within `eps` of `image` in L1 and in [0, 1].

    Both bounds are met at once: arXiv 2103.01208, section 3. Each coordinate's distance from the image is shortened by
    the same amount (`l1_threshold`), or by as much as [0, 1] requires, whichever is more.
    """
    if x.device.type == "cpu" and x.dtype == torch.float32:
        from bench.attacks.compiled import l1_project  # Numba is slow to import

        out = x.contiguous(memory_format=torch.channels_last).clone()
        l1_project(array(out), array(image), eps, _ROUNDS)
        return out
    return torch_into_l1(x, image, eps)


def torch_into_l1(x: Tensor, image: Tensor, eps: float) -> Tensor:
    """Compute `into_l1` in torch."""
    delta = x - image
    way = delta.abs()
    room = torch.minimum(torch.where(delta > 0, 1 - image, image), way)
    kept = torch.minimum((way - per_image(l1_threshold(flat(way), flat(room), eps))).clamp(min=0), room)
    kept *= (eps / (per_image(size(kept, "l1")) + _TINY)).clamp(max=1.0)
    return image + delta.sign() * kept


def l1_threshold(way: Tensor, room: Tensor, eps: float) -> Tensor:
    """Return [n]: the smallest t >= 0 with sum(min(max(way - t, 0), room)) <= eps, for way, room [n, d], by Newton's
    steps, and bisection where they leave the interval that contains the root."""
    low, high = torch.zeros_like(way[:, 0]), way.amax(1)
    at, exact = low, 10 * torch.finfo(way.dtype).eps * eps
    for _ in range(_ROUNDS):
        left = (way - at[:, None]).clamp(min=0)
        over = torch.minimum(left, room).sum(1) - eps
        if not (over.abs() > exact).logical_and((over > 0) | (at > 0)).any():
            break
        low, high = torch.where(over > 0, at, low), torch.where(over > 0, high, at)
        free = ((left > 0) & (left <= room)).sum(1)
        step = at + over / free
        inside = (step > low) & (step < high)
        at = torch.where((over > 0) | (at > 0), torch.where(inside, step, (low + high) / 2), at)
    return at


def project(x: Tensor, image: Tensor, eps: float, norm: Norm) -> Tensor:
    """Project once, as `into`."""
    return into(x, image, box(image, eps, norm), eps, norm)


def flat(x: Tensor) -> Tensor:
    """Reshape [n, c, h, w] -> [n, h w c], for channels-last images without a copy."""
    return x.permute(0, 2, 3, 1).flatten(1)


def array(x: Tensor) -> NDArray[np.float32]:
    """Return `flat` of float32 images on the CPU for compiled code, which may write into channels-last ones."""
    return flat(x.contiguous(memory_format=torch.channels_last)).numpy()
