"""Upper bounds on an image's distance to the decision boundary: the smallest perturbation found that changes the class.

They come from FMN, the fast minimum-norm attack (Pintor et al., arXiv 2102.12827, algorithm 1), untargeted, followed by
a bisection between the image and the nearest adversarial point found.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks.budget import Norm
from bench.attacks.losses import margin
from bench.attacks.network import Network, check_differentiable, frozen_if_copied
from bench.attacks.norms import per_image, size, unit
from bench.attacks.prepared import prepare
from bench.diagnostics.probe import Found, Probe, Sight
from model_zoo.card import ModelCard

STEPS = 100
GAMMA, GAMMA_LAST = 0.05, 0.001
"""Relative change of the radius in the first and last step, with cosine decay between them; the authors' values."""

STEP_AT_32_PIXELS = 1.0
"""The authors' first step length (L2) for images of 3 x 32 x 32. It grows with the square root of the dimension, so
that a step moves each pixel equally far. The last step is a hundredth of it."""

BISECTIONS = 10


def _cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


@dataclass
class Nearest:
    """Nearest adversarial points found so far: x [n, 3, h, w] and distances [n], inf where none was found."""

    x: Tensor
    distance: Tensor

    def offer(self, x: Tensor, distance: Tensor, adversarial: Tensor) -> None:
        """Replace points by those of `x` that are adversarial and nearer."""
        better = adversarial & (distance < self.distance)
        self.x = torch.where(per_image(better), x, self.x)
        self.distance = torch.where(better, distance, self.distance)


def minimum_norm(network: Network, images: Tensor, labels: Tensor, norm: Norm, steps: int = STEPS) -> Nearest:
    """Return the nearest misclassified points to `images` [n, 3, h, w] that FMN finds; misclassified images themselves
    have distance 0."""
    nearest = Nearest(images, torch.full_like(labels, torch.inf, dtype=torch.float32))
    x, radius = images, torch.full_like(nearest.distance, torch.inf)
    longest = STEP_AT_32_PIXELS * math.sqrt(images[0].numel() / (3 * 32 * 32))
    for step in range(steps):
        value, gradient = network.gradient(x, lambda logits: margin(logits, labels)).ascent()
        distance = size(x - images, norm)
        adversarial = value < 0
        nearest.offer(x, distance, adversarial)
        shrink = _cosine(GAMMA, GAMMA_LAST, step / steps)
        radius = _next_radius(nearest, radius, distance, adversarial, _to_boundary(value, gradient, norm), shrink)
        x = x - _cosine(longest, longest / 100, step / steps) * unit(gradient, "l2")
        x = _within(x, images, radius, norm)
    return _bisect(network, images, labels, nearest, norm)


def _within(x: Tensor, images: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    """Project `x` onto each image's ball of `radius` [n], then into [0, 1]."""
    limit, delta = per_image(radius), x - images
    if norm == "linf":
        delta = torch.clamp(delta, -limit, limit)
    else:
        delta = delta * (limit / per_image(size(delta, norm)).clamp(min=1e-12)).clamp(max=1.0)
    return (images + delta).clamp(0.0, 1.0)


def _to_boundary(value: Tensor, gradient: Tensor, norm: Norm) -> Tensor:
    """Return the distance [n] to the boundary of a linear margin: |margin| / dual norm of its gradient."""
    flat = gradient.flatten(1)
    dual = flat.abs().sum(1) if norm == "linf" else torch.linalg.vector_norm(flat, dim=1)
    return value.abs() / dual.clamp(min=1e-12)


def _next_radius(
    nearest: Nearest, radius: Tensor, distance: Tensor, adversarial: Tensor, to_boundary: Tensor, change: float
) -> Tensor:
    """Return the next radius [n]: smaller if the point is adversarial, else larger; at first the linear estimate."""
    met = nearest.distance.isfinite()
    # Slightly beyond the linear estimate: exactly on the boundary, rounding could stop all progress.
    out = torch.where(met, radius, distance + to_boundary) * (1 + change)
    return torch.where(adversarial, torch.minimum(radius * (1 - change), nearest.distance), out)


def _bisect(network: Network, images: Tensor, labels: Tensor, nearest: Nearest, norm: Norm) -> Nearest:
    """Bisect between each image and its nearest point, keeping nearer adversarial points."""
    low, high = torch.zeros_like(nearest.distance), torch.ones_like(nearest.distance)
    way = nearest.x - images
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        x = images + per_image(middle) * way
        adversarial = network.logits(x).logits.argmax(1) != labels
        nearest.offer(x, size(x - images, norm), adversarial)
        low, high = torch.where(adversarial, low, middle), torch.where(adversarial, middle, high)
    return nearest


def distances(sight: Sight, norm: Norm, steps: int) -> list[float]:
    """Return each image's distance; inf if the point found is not adversarial for the original model."""
    check_differentiable(frozen_if_copied(sight.model), sight.images[:1].to(sight.device))
    judge = Network(sight.model, sight.device)
    fast = prepare(sight.model, sight.images.to(sight.device)).network(sight.device)
    found = []
    for images, labels in zip(*(torch.split(t, sight.batch_size) for t in (sight.images, sight.labels)), strict=True):
        x, y = images.to(sight.device), labels.to(sight.device)
        nearest = minimum_norm(fast, x, y, norm, steps)
        wrong = judge.logits(nearest.x).logits.argmax(1) != y
        found.append(torch.where(wrong, nearest.distance, torch.inf).cpu())
    values: list[float] = torch.cat(found).tolist()
    return values


@dataclass(frozen=True)
class MarginProbe(Probe):
    """Column `distance`: the smallest perturbation norm found, for images in [0, 1]."""

    norm: Norm = "linf"
    steps: int = STEPS
    unit_images: int = 100
    all_classes: bool = True

    @property
    def name(self) -> str:
        return f"margin-{self.norm}-fmn{self.steps}"

    def columns(self, card: ModelCard) -> tuple[str, ...]:  # noqa: ARG002
        return ("distance",)

    def look(self, sight: Sight) -> Found:
        return Found({"distance": distances(sight, self.norm, self.steps)})
