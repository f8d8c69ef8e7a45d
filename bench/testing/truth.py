"""Models whose robust accuracy is known exactly, to hold attacks and verdicts to.

A head is affine in the image, so the lead of the label over any one class is linear, and its least value within a
budget and within [0, 1] has a closed form. An image is robust where no class overtakes the label.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bench.attacks.budget import Norm
from bench.errors import UsageError
from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.model import Model

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

BISECTIONS = 100
"""Of the multiplier of L2 with a box: to the last bit of float64."""

SCALE = 0.1


class AffineHead(nn.Module):
    """logits = weight x + bias of images [n, 3, h, w]: weight [k, 3, h, w], bias [k]."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.float())
        self.register_buffer("bias", bias.float())

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.flatten(1).T + self.bias

    def worst_lead(self, images: Tensor, labels: Tensor, norm: Norm, eps: float) -> Tensor:
        """float64 [n]: the least lead of the label over any class that an image within the budget can have."""
        x, weight, bias = images.flatten(1).double(), self.weight.flatten(1).double(), self.bias.double()
        worst = torch.full((len(x),), torch.inf, dtype=torch.float64)
        for other in range(len(weight)):
            slope = weight[labels] - weight[other]
            lead = (slope * x).sum(1) + bias[labels] - bias[other] + self._least(slope, x, norm, eps)
            worst = torch.where(labels == other, worst, torch.minimum(worst, lead))
        return worst

    def robust(self, images: Tensor, labels: Tensor, norm: Norm, eps: float) -> Tensor:
        """bool [n]: no image within the budget is misclassified."""
        return self.worst_lead(images, labels, norm, eps) > 0

    def _least(self, slope: Tensor, x: Tensor, norm: Norm, eps: float) -> Tensor:
        return least_change(slope, x, norm, eps)


class PiecewiseConstant(AffineHead):
    """An affine head behind a quantiser of `levels` steps: gradients are zero everywhere, robustness is not."""

    def __init__(self, weight: Tensor, bias: Tensor, levels: int = 15) -> None:
        super().__init__(weight, bias)
        self.levels = levels

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x * self.levels).round() / self.levels)

    def _least(self, slope: Tensor, x: Tensor, norm: Norm, eps: float) -> Tensor:
        if norm != "linf":
            raise UsageError("of a quantised image the least lead is known in Linf alone, where pixels are independent")
        low, high = ((x + move).clamp(0, 1).mul(self.levels).round() / self.levels for move in (-eps, eps))
        return (slope * (torch.where(slope > 0, low, high) - x)).sum(1)


class HiddenGradients(AffineHead):
    """An affine head of which gradients see the pixels of `seen` [3, h, w] alone; the others move its logits, too."""

    seen: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, seen: Tensor) -> None:
        super().__init__(weight, bias)
        self.register_buffer("seen", seen.bool())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.where(self.seen, x, x.detach()))


def least_change(slope: Tensor, x: Tensor, norm: Norm, eps: float) -> Tensor:
    """float64 [n]: the least of slope . d over d in the ball of radius `eps` with x + d in [0, 1]; slope, x [n, m]."""
    room = torch.where(slope > 0, x, 1 - x)
    steep = slope.abs()
    if norm == "linf":
        return -(steep * room.clamp(max=eps)).sum(1)
    if norm == "l1":  # the steepest pixels first, each as far as it can go
        order = steep.argsort(1, descending=True)
        room, steep = room.gather(1, order), steep.gather(1, order)
        left = (eps - (room.cumsum(1) - room)).clamp(min=0)
        return -(steep * torch.minimum(room, left)).sum(1)
    low, high = torch.zeros(len(x), 1, dtype=torch.float64), torch.full((len(x), 1), 1e12, dtype=torch.float64)
    for _ in range(BISECTIONS):  # d = clip(- multiplier x slope): the longest that the ball allows
        middle = (low + high) / 2
        inside = torch.minimum(middle * steep, room).square().sum(1, keepdim=True) <= eps**2
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return -(steep * torch.minimum(low * steep, room)).sum(1)


def nearest_mean(images: Tensor, labels: Tensor, classes: int) -> AffineHead:
    """The head that answers with the class whose mean image is nearest: images [n, 3, h, w], labels [n].

    Its logits lie near one another, so that cross-entropy is nowhere flat in float32.
    """
    means = torch.stack([images[labels == c].mean(0) for c in range(classes)])
    return AffineHead(2 * SCALE * means, -SCALE * means.flatten(1).square().sum(1))


def truth_model(
    net: nn.Module,
    name: str = "truth",
    *,
    classes: int = 10,
    size: int = 32,
    dataset: str = "tiny",
    labels: str = "tiny10",
) -> Model:
    """`net` as a model that `bench.run` takes, its images as they are; at home on `dataset`."""
    plain = InputSpec(size, "none", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    weights = WeightsSpec("none", "user", "CC0")
    card = ModelCard(name, "standard", "affine", plain, weights, dataset=dataset, labels=labels, classes=classes)
    return Model(net, card)


def affine_heads(side: int = 6) -> "SearchStrategy[tuple[AffineHead, Tensor, Tensor]]":
    """Draw heads of 2 to 12 classes with images [n, 3, side, side] that they classify rightly, some at the limits of
    [0, 1], and their labels. Needs hypothesis."""
    from hypothesis import strategies as st

    def make(seed: int, classes: int, dark: float, count: int) -> tuple[AffineHead, Tensor, Tensor]:
        draw = torch.Generator().manual_seed(seed)
        weight = torch.randn(classes, 3, side, side, generator=draw)
        bias = -weight.flatten(1).sum(1) / 2
        images = (torch.rand(count, 3, side, side, generator=draw) * (1 + 2 * dark) - dark).clamp(0, 1)
        head = AffineHead(weight, bias)
        return head, images, head(images).argmax(1)

    return st.builds(
        make, st.integers(0, 2**31), st.sampled_from([2, 3, 4, 10, 12]), st.sampled_from([0.0, 0.3]), st.integers(8, 24)
    )
