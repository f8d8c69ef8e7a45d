"""A network small enough to attack in a second, and images that it partly withstands."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 12


@dataclass(frozen=True)
class Subject:
    """A trained network in eval mode, with images [24, 3, 12, 12] that it classifies mostly right."""

    net: nn.Module
    images: Tensor
    labels: Tensor

    @property
    def ids(self) -> list[str]:
        return [f"image{i}" for i in range(len(self.images))]


class Around(nn.Module):
    """A model around another one, `net`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net


def _pictures(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Ten smooth prototypes under noise."""
    prototypes = torch.rand(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    smooth = F.interpolate(prototypes, SIDE, mode="bilinear")[labels]
    noise = torch.randn(smooth.shape, generator=random)
    return (0.25 + 0.5 * smooth + 0.1 * noise).clamp(0, 1), labels


@pytest.fixture(scope="session")
def subject() -> Subject:
    """Two convolutions with batch norm, sixty steps of gradient descent."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.BatchNorm2d(32),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    images, labels = _pictures(200, seed=1)
    # torch.optim would import the compiler, which takes longer than the training.
    parameters = list(net.parameters())
    for _ in range(60):
        gradients = torch.autograd.grad(F.cross_entropy(net(images), labels), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= 0.1 * gradient
    return Subject(net.eval().requires_grad_(False), *_pictures(24, seed=2))
