"""How far an image is from the decision's edge: the smallest perturbation that changes the prediction, from above.

FMN, the fast minimum-norm attack (Pintor et al., arXiv 2102.12827, algorithm 1), untargeted, then a bisection of the
segment between the image and the nearest adversarial point that it met.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks.budget import Norm
from bench.attacks.losses import margin
from bench.attacks.network import Network
from bench.attacks.norms import per_image, size, unit
from bench.attacks.prepared import prepare
from bench.diagnostics.probe import Found, Probe, Sight
from model_zoo.card import ModelCard

STEPS = 100
GAMMA, GAMMA_LAST = 0.05, 0.001
"""Relative change of the radius in a step, from first to last along a cosine: the authors' values."""

STEP_AT_32_PIXELS = 1.0
"""The authors' first step length (L2) for images of 3 x 32 x 32; it grows with the square root of the dimension, so
that a step moves each pixel as far. The last step is a hundredth of it."""

BISECTIONS = 10


def _cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


@dataclass
class Nearest:
    """The nearest adversarial point met so far: x [n, 3, h, w] and its distance [n], inf where there is none."""

    x: Tensor
    distance: Tensor

    def offer(self, x: Tensor, distance: Tensor, adversarial: Tensor) -> None:
        """Take `x` where it is adversarial and nearer."""
        better = adversarial & (distance < self.distance)
        self.x = torch.where(per_image(better), x, self.x)
        self.distance = torch.where(better, distance, self.distance)


def minimum_norm(network: Network, images: Tensor, labels: Tensor, norm: Norm, steps: int = STEPS) -> Nearest:
    """The nearest misclassified point to each of `images` [n, 3, h, w] that FMN finds; the image itself where it is
    already misclassified (distance 0)."""
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
    """`x` in each image's ball of its own `radius` [n], then in [0, 1]."""
    limit, delta = per_image(radius), x - images
    if norm == "linf":
        delta = torch.clamp(delta, -limit, limit)
    else:
        delta = delta * (limit / per_image(size(delta, norm)).clamp(min=1e-12)).clamp(max=1.0)
    return (images + delta).clamp(0.0, 1.0)


def _to_boundary(value: Tensor, gradient: Tensor, norm: Norm) -> Tensor:
    """Distance [n] to the boundary if the margin were linear: |margin| / dual norm of its gradient."""
    flat = gradient.flatten(1)
    dual = flat.abs().sum(1) if norm == "linf" else torch.linalg.vector_norm(flat, dim=1)
    return value.abs() / dual.clamp(min=1e-12)


def _next_radius(
    nearest: Nearest, radius: Tensor, distance: Tensor, adversarial: Tensor, to_boundary: Tensor, change: float
) -> Tensor:
    """Smaller where the point is adversarial, larger where it is not any more; at first the linear estimate."""
    met = nearest.distance.isfinite()
    # A little beyond the linear estimate: on the boundary itself rounding would hold the point for ever.
    out = torch.where(met, radius, distance + to_boundary) * (1 + change)
    return torch.where(adversarial, torch.minimum(radius * (1 - change), nearest.distance), out)


def _bisect(network: Network, images: Tensor, labels: Tensor, nearest: Nearest, norm: Norm) -> Nearest:
    """Between each image and its nearest point, nearer points as long as they are adversarial."""
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
    """Distance of each of the unit's images; inf where no adversarial point stood before the model as it came."""
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
    """Column `distance`: the minimum norm found, on images in [0, 1]. The logits' margin is in every record."""

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
