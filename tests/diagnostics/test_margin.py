"""Minimum-norm distances where they are known: linear classifiers."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks.budget import Norm
from bench.attacks.network import Network
from bench.attacks.norms import size
from bench.diagnostics.margin import minimum_norm
from bench.testing import fake_model


class Linear(nn.Module):
    """Five classes whose boundaries all lie near the middle of [0, 1], so that no pixel's bound is in the way."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(5, 48, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(-0.5 * weight.sum(1))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1), self.weight, self.bias)


def world() -> tuple[nn.Module, Tensor, Tensor]:
    model = Linear().eval().requires_grad_(False)
    images = 0.5 + 0.1 * (torch.rand(20, 3, 4, 4, generator=torch.Generator().manual_seed(1)) - 0.5)
    return model, images, model(images).argmax(1)


def exact(model: nn.Module, images: Tensor, labels: Tensor, norm: Norm) -> Tensor:
    """The nearest of the four hyperplanes: margin / dual norm of the difference of weights."""
    logits, weight = model(images), model.weight
    gaps = logits.gather(1, labels[:, None]) - logits
    apart = weight[labels][:, None] - weight[None]
    size = apart.abs().sum(2) if norm == "linf" else apart.norm(dim=2)
    distance = gaps / size
    distance[torch.arange(len(labels)), labels] = torch.inf
    return distance.amin(1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_distances_to_hyperplanes(norm: Norm) -> None:
    model, images, labels = world()
    found = minimum_norm(Network(model, torch.device("cpu")), images, labels, norm)
    truth = exact(model, images, labels, norm)
    assert (found.distance >= truth * (1 - 1e-3)).all()
    assert ((found.distance / truth).median() - 1).abs() < 0.02
    assert (found.distance <= truth * 1.25).all()
    assert (model(found.x).argmax(1) != labels).all()
    assert ((found.x >= 0) & (found.x <= 1)).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_farther_than_foolboxs_own(norm: Norm) -> None:
    """The same attack by another hand, on a network with kinks; the bisection can only bring ours nearer."""
    fb = pytest.importorskip("foolbox", reason="foolbox is of the extra `demo`")
    model = fake_model(classes=10, size=16).net[:5].eval()
    model = nn.Sequential(model, nn.Flatten(), nn.Linear(256, 10)).eval().requires_grad_(False)
    images = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    labels = model(images).argmax(1)
    ours = minimum_norm(Network(model, torch.device("cpu")), images, labels, norm).distance
    attack = fb.attacks.LInfFMNAttack(steps=100) if norm == "linf" else fb.attacks.L2FMNAttack(steps=100)
    theirs, _, found = attack(fb.PyTorchModel(model, bounds=(0, 1)), images, labels, epsilons=None)
    assert found.all()
    ratio = ours / size(theirs - images, norm)
    assert ratio.median() < 1.05
    assert ratio.max() < 1.5


def test_a_wrong_image_is_at_distance_zero() -> None:
    model, images, labels = world()
    found = minimum_norm(Network(model, torch.device("cpu")), images, (labels + 1) % 5, "linf", steps=5)
    assert not found.distance.any()
    assert torch.equal(found.x, images)


def test_where_nothing_is_found_the_distance_is_infinite() -> None:
    class Sure(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.flatten(1).sum(1) * 0 + 1, x.flatten(1).sum(1) * 0], dim=1)

    images = torch.rand(2, 3, 4, 4)
    found = minimum_norm(Network(Sure(), torch.device("cpu")), images, torch.zeros(2, dtype=torch.int64), "l2", steps=5)
    assert found.distance.isinf().all()
