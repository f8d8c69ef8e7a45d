"""Smoothness of the loss and the logits around an image.

NoFrost's paper (arXiv 2207.01156) claims smoothness without saying how it was measured; these definitions are the usual
ones, each with its source. All functions take images float32 [n, 3, h, w] in [0, 1] and labels int64 [n], and return
[n].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.attacks.forward import without_offset
from bench.attacks.network import Network, check_differentiable, frozen_if_copied, value_and_gradient
from bench.attacks.norms import per_image, project
from bench.attacks.randomness import generator, uniform
from bench.condition import spell
from bench.diagnostics.columns import COLUMNS
from bench.diagnostics.probe import Found, Probe, Sight
from model_zoo.card import ModelCard

STEPS = 10
CURVATURE_STEP = 1.5
"""Step h of the finite difference, in L2 of images (Moosavi-Dezfooli et al., arXiv 1811.09716, section 4.2)."""

Objective = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Neighbourhood:
    """A network and a batch: the function of logits, the images, their labels, and the radius of the Linf ball."""

    network: Network
    images: Tensor
    labels: Tensor
    eps: float

    def loss(self, logits: Tensor) -> Tensor:
        """Return the cross-entropy [n]."""
        return F.cross_entropy(logits, self.labels, reduction="none")

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss [n] and its gradient [n, 3, h, w] at `x`."""
        return self.network.gradient(x, self.loss).ascent()

    def highest(self, objective: Objective, start: Tensor, scale: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the largest objective(x, logits at x) / scale(x) [n] met by signed gradient steps of eps / 4.

        Steps stay in the ball and follow the gradient of `objective` alone, through x and the logits.
        """
        model = self.network.model
        x, best = start, torch.full_like(self.labels, -torch.inf, dtype=torch.float32)
        for step in range(STEPS + 1):
            value, found = value_and_gradient(
                model, x, lambda at, logits: objective(at, without_offset(logits).float())
            )
            gradient = found.nan_to_num(0.0)
            best = torch.maximum(best, value if scale is None else value / scale(x))
            if step < STEPS:
                x = project(x + self.eps / 4 * gradient.sign(), self.images, self.eps, "linf")
        return best


def lipschitz(around: Neighbourhood, start: Tensor) -> Tensor:
    """Return a lower bound of the logits' local Lipschitz constant, max of |f(x') - f(x)|_1 / |x' - x|_inf over the
    ball (Yang et al., arXiv 2003.02460, section 5.2). Steps ascend the numerator; the largest ratio is returned."""
    clean = around.network.logits(around.images).logits

    def change(_x: Tensor, logits: Tensor) -> Tensor:
        return (logits - clean).abs().sum(1)

    return around.highest(change, start, lambda x: (x - around.images).flatten(1).abs().amax(1).clamp(min=1e-6))


def linearity_error(around: Neighbourhood, start: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
    """Return a lower bound of max |l(x') - l(x) - <x' - x, grad l(x)>| over the ball (Qin et al., arXiv 1907.02610, eq.
    5)."""

    def error(x: Tensor, logits: Tensor) -> Tensor:
        linear = ((x - around.images) * gradient).flatten(1).sum(1)
        return (around.loss(logits) - loss - linear).abs()

    return around.highest(error, start)


def gradient_cosine(gradient: Tensor, other: Tensor) -> Tensor:
    """Return the cosine of two gradients of the loss [n, 3, h, w], NaN if one is zero (Benz et al., arXiv
    2010.03316)."""
    a, b = gradient.flatten(1), other.flatten(1)
    sizes = torch.linalg.vector_norm(a, dim=1) * torch.linalg.vector_norm(b, dim=1)
    cosine: Tensor = (a * b).sum(1) / torch.where(sizes > 0, sizes, torch.nan)
    return cosine


def curvature(around: Neighbourhood, gradient: Tensor, step: float = CURVATURE_STEP) -> Tensor:
    """Return |H v| for the loss's Hessian H and the gradient's direction v, |v|_2 = 1, as a finite difference of
    gradients over `step` (arXiv 1811.09716, eq. 4). A finite step also measures ReLU's kinks, where H is zero."""
    size = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    direction = gradient / per_image(size.clamp(min=1e-12))
    _, ahead = around.gradient(around.images + step * direction)
    change: Tensor = torch.linalg.vector_norm((ahead - gradient).flatten(1), dim=1)
    return change / step


def random_start(images: Tensor, ids: Sequence[str], eps: float, seed: int) -> Tensor:
    """Return a uniform random point of each image's Linf ball, clipped to [0, 1]; it depends on the image's id."""
    draws = [generator(seed, i, "smoothness", 0) for i in ids]
    noise = uniform(draws, *images.shape[1:]).to(images) * 2 - 1
    return torch.clamp(images + eps * noise, 0.0, 1.0)


def measure(around: Neighbourhood, ids: Sequence[str], seed: int = 0) -> dict[str, Tensor]:
    """Compute all of `COLUMNS`, [n] each, on the CPU."""
    start = random_start(around.images, ids, around.eps, seed)
    loss, gradient = around.gradient(around.images)
    _, nearby = around.gradient(start)
    found = (
        gradient.flatten(1).abs().sum(1),
        torch.linalg.vector_norm(gradient.flatten(1), dim=1),
        lipschitz(around, start),
        linearity_error(around, start, loss, gradient),
        gradient_cosine(gradient, nearby),
        curvature(around, gradient),
    )
    return {name: value.cpu() for name, value in zip(COLUMNS, found, strict=True)}


@dataclass(frozen=True)
class SmoothnessProbe(Probe):
    """Smoothness of the cross-entropy and the logits within the Linf ball of radius `eps`."""

    eps: Fraction
    unit_images: int = 100
    all_classes: bool = True

    @property
    def name(self) -> str:
        return f"smoothness-eps{spell(self.eps)}-k{STEPS}"

    def columns(self, card: ModelCard) -> tuple[str, ...]:  # noqa: ARG002
        return COLUMNS

    def look(self, sight: Sight) -> Found:
        network = Network(frozen_if_copied(sight.model), sight.device)
        check_differentiable(network.model, sight.images[:1].to(sight.device))
        columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
        for start in range(0, len(sight.images), sight.batch_size):
            rows = slice(start, start + sight.batch_size)
            images, labels = sight.images[rows].to(sight.device), sight.labels[rows].to(sight.device)
            found = measure(Neighbourhood(network, images, labels, float(self.eps)), sight.ids[rows], sight.seed)
            for name, values in found.items():
                columns[name] += values.tolist()
        return Found(columns)
