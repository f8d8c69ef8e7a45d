"""Smoothness where it is known: linear networks, grids in three dimensions, exact Hessians."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import bench
from bench.attacks.network import Network
from bench.diagnostics.smoothness import (
    Neighbourhood,
    curvature,
    gradient_cosine,
    linearity_error,
    lipschitz,
    measure,
    random_start,
)
from bench.errors import IncompleteError

CPU = torch.device("cpu")
IDS = ("a", "b", "c", "d")


class Smooth(nn.Module):
    """Three inputs, two logits, infinitely often differentiable."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.outer(torch.tanh(3 * self.inner(x.flatten(1))))
        return y


class Linear(nn.Module):
    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1), self.weight)


def around(model: nn.Module, eps: float = 0.1) -> Neighbourhood:
    images = 0.3 + 0.4 * torch.rand(4, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    return Neighbourhood(Network(model.eval().requires_grad_(False), CPU), images, torch.tensor([0, 1, 0, 1]), eps)


def test_the_lipschitz_constant_of_a_linear_network_is_its_weights_norm() -> None:
    weight = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    place = around(Linear(weight))
    found = lipschitz(place, random_start(place.images, IDS, place.eps, 0))
    torch.testing.assert_close(found, torch.full((4,), 3.5), rtol=1e-3, atol=0)


def test_the_linearity_error_is_that_of_a_grid() -> None:
    place = around(Smooth())
    loss, gradient = place.gradient(place.images)
    found = linearity_error(place, random_start(place.images, IDS, place.eps, 0), loss, gradient)
    grid = torch.tensor(list(itertools.product(torch.linspace(-1, 1, 21).tolist(), repeat=3))) * place.eps
    for i in range(4):
        x = place.images[i] + grid[:, :, None, None]
        labels = place.labels[i].expand(len(x))
        exact = F.cross_entropy(place.network.model(x), labels, reduction="none")
        error = (exact - loss[i] - (grid * gradient[i].flatten()).sum(1)).abs().max()
        assert 0.5 * error <= found[i] <= error * 1.01


def test_curvature_is_the_hessians() -> None:
    place = around(Smooth())
    _, gradient = place.gradient(place.images)
    found = curvature(place, gradient, step=1e-3)
    for i in range(4):
        direction = gradient[i : i + 1] / gradient[i].norm()

        def loss(x: Tensor, label: Tensor = place.labels[i : i + 1]) -> Tensor:
            return F.cross_entropy(place.network.model(x), label)

        _, exact = torch.autograd.functional.hvp(loss, place.images[i : i + 1], direction)
        assert found[i].item() == pytest.approx(exact.norm().item(), rel=0.05, abs=1e-3)


def test_cosines_by_hand() -> None:
    a = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 0, 0]]).view(3, 3, 1, 1)
    b = torch.tensor([[0.0, 2, 0], [-3, 0, 0], [1, 0, 0]]).view(3, 3, 1, 1)
    found = gradient_cosine(a, b)
    assert found[:2].tolist() == [0, -1]
    assert found[2].isnan()


def test_gradient_norms_and_batches() -> None:
    place = around(Smooth())
    found = measure(place, IDS)
    leaf = place.images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(place.loss(place.network.model(leaf)).sum(), [leaf])
    torch.testing.assert_close(found["gradient_l1"], gradient.flatten(1).abs().sum(1))
    torch.testing.assert_close(found["gradient_l2"], gradient.flatten(1).norm(dim=1))
    part = Neighbourhood(place.network, place.images[1:2], place.labels[1:2], place.eps)
    for name, values in measure(part, IDS[1:2]).items():
        torch.testing.assert_close(values[0], found[name][1], rtol=1e-4, atol=1e-5)


class Checkpointed(nn.Module):
    """The same network with checkpoints of the older kind, which only `backward` passes."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = checkpoint(self.inner, x, use_reentrant=True)
        return found


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_checkpoints_of_the_older_kind_change_nothing() -> None:
    plain, other = (measure(around(model), IDS) for model in (Smooth(), Checkpointed(Smooth())))
    for name, values in plain.items():
        torch.testing.assert_close(other[name], values)


@pytest.mark.parametrize("suite", ["smoothness", "margin"])
def test_a_network_that_autograd_cannot_follow_is_refused(tmp_path: Path, suite: str) -> None:
    """Gradients of zero would be told as perfect smoothness and infinite margins."""

    def cut(x: Tensor) -> Tensor:
        return x.detach().mean((2, 3))

    data = torch.rand(12, 3, 8, 8), torch.arange(12) % 3
    with pytest.raises(IncompleteError, match="cannot be differentiated by its input"):
        bench.run(cut, suite, data=data, out=tmp_path, mean=(0, 0, 0), std=(1, 1, 1), quiet=True)
