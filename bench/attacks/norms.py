"""Geometry of the two balls: size, steepest step, projection, noise. Images are float [n, 3, h, w] in [0, 1]."""

import torch
from torch import Tensor

from bench.attacks.budget import Norm

_TINY = 1e-12


def per_image(values: Tensor) -> Tensor:
    """[n] -> [n, 1, 1, 1], to multiply images with."""
    return values.view(-1, 1, 1, 1)


def size(delta: Tensor, norm: Norm) -> Tensor:
    """Norm of each perturbation: [n, 3, h, w] -> [n]."""
    flat = delta.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else torch.linalg.vector_norm(flat, dim=1)


def unit(delta: Tensor, norm: Norm) -> Tensor:
    """Each perturbation scaled to norm 1 (zero stays zero)."""
    return delta / (per_image(size(delta, norm)) + _TINY)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The step of norm 1 that raises a linear loss most: the sign for Linf, the normalised gradient for L2."""
    return gradient.sign() if norm == "linf" else unit(gradient, norm)


def project(x: Tensor, image: Tensor, eps: float | Tensor, norm: Norm) -> Tensor:
    """`x` moved into the ball of radius `eps` around `image`, then into [0, 1]."""
    if norm == "linf":
        return torch.min(torch.max(x, image - eps), image + eps).clamp(0.0, 1.0)
    delta = x - image
    return (image + delta * (eps / (per_image(size(delta, norm)) + _TINY)).clamp(max=1.0)).clamp(0.0, 1.0)
