"""Geometry of the two balls: size, steepest step, projection, noise. Images are float [n, 3, h, w] in [0, 1]."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.attacks.budget import Norm

_TINY = 1e-12


class Box(NamedTuple):
    """Least and greatest value of each pixel, [n, 3, h, w] or [n, 1, 1, 1]."""

    low: Tensor
    high: Tensor


def per_image(values: Tensor) -> Tensor:
    """[n] -> [n, 1, 1, 1], to multiply images with."""
    return values.view(-1, 1, 1, 1)


def size(delta: Tensor, norm: Norm) -> Tensor:
    """Norm of each perturbation: [n, 3, h, w] -> [n]."""
    values = flat(delta)
    return values.abs().amax(1) if norm == "linf" else torch.linalg.vector_norm(values, dim=1)


def unit(delta: Tensor, norm: Norm) -> Tensor:
    """Each perturbation scaled to norm 1 (zero stays zero)."""
    return delta / (per_image(size(delta, norm)) + _TINY)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The step of norm 1 that raises a linear loss most: the sign for Linf, the normalised gradient for L2."""
    return gradient.sign() if norm == "linf" else unit(gradient, norm)


def box(image: Tensor, eps: float, norm: Norm) -> Box:
    """Between what the values of a perturbed image may lie: for Linf all that its budget says, for L2 [0, 1]."""
    if norm == "linf":
        return Box((image - eps).clamp_(0.0, 1.0), (image + eps).clamp_(0.0, 1.0))
    return anywhere(image)


def anywhere(image: Tensor) -> Box:
    """All of [0, 1]."""
    bound = image.new_zeros(len(image), 1, 1, 1)
    return Box(bound, bound + 1)


def into(x: Tensor, image: Tensor, limits: Box, eps: float, norm: Norm) -> Tensor:
    """`x` moved into the ball of radius `eps` around `image`, then into [0, 1]; `limits` are `box`'s."""
    if norm == "l2":
        delta = x - image
        x = image + delta * (eps / (per_image(size(delta, norm)) + _TINY)).clamp(max=1.0)
    return torch.clamp(x, limits.low, limits.high)


def project(x: Tensor, image: Tensor, eps: float, norm: Norm) -> Tensor:
    """`into`, for once."""
    return into(x, image, box(image, eps, norm), eps, norm)


def flat(x: Tensor) -> Tensor:
    """[n, c, h, w] -> [n, h w c], of channels-last images without a copy."""
    return x.permute(0, 2, 3, 1).flatten(1)


def array(x: Tensor) -> NDArray[np.float32]:
    """`flat` of float32 images on the CPU for compiled code, which may write into those that are channels last."""
    return flat(x.contiguous(memory_format=torch.channels_last)).numpy()
