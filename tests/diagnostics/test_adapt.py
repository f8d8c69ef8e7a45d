"""Batch norm under the batch's statistics, mixed and re-estimated ones, against torch's own training mode."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from bench.diagnostics.adapt import adaptable, adapted, reestimated
from model_zoo.nets.normalisation import BranchedBatchNorm2d, select_branch


def network(norm: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), norm or nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5))
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
                layer.weight.normal_()
    return net.eval()


def images(n: int = 8, seed: int = 1) -> Tensor:
    return torch.rand(n, 3, 10, 10, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_no_prior_is_training_mode_and_the_model_stays() -> None:
    net, x = network(), images()
    before = copy.deepcopy(net.state_dict())
    torch.testing.assert_close(adapted(net)(x), copy.deepcopy(net).train()(x))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    torch.testing.assert_close(adapted(net, prior=1e12)(x), net(x))


@torch.no_grad()
def test_the_prior_weighs_as_that_many_images() -> None:
    layer, x = nn.BatchNorm2d(3, affine=False).eval(), images(4) * 3 + 1
    mean = 0.2 * x.mean((0, 2, 3)) + 0.8 * layer.running_mean
    variance = 0.2 * x.var((0, 2, 3), correction=0) + 0.8 * layer.running_var
    expected = (x - mean.view(1, 3, 1, 1)) / (variance.view(1, 3, 1, 1) + 1e-5).sqrt()
    mixing = adapted(nn.Sequential(layer), prior=16)
    torch.testing.assert_close(mixing(x), expected)
    torch.testing.assert_close(mixing(x), expected)  # the second batch begins from what is stored, not from the first


@torch.no_grad()
@pytest.mark.parametrize("norm", [nn.SyncBatchNorm(4), FrozenBatchNorm2d(4), BranchedBatchNorm2d(4, ("clean", "adv"))])
def test_every_kind_follows_the_batch(norm: nn.Module) -> None:
    x = images()
    seen = adapted(nn.Sequential(nn.Conv2d(3, 4, 3), norm).eval())(x)
    np.testing.assert_allclose(seen.mean((0, 2, 3)), np.zeros(4), atol=1e-5)
    np.testing.assert_allclose(seen.var((0, 2, 3)), np.ones(4), rtol=0.05)


def test_without_statistics_there_is_nothing_to_adapt() -> None:
    assert not adaptable(nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.GroupNorm(1, 3)))
    assert adaptable(network())


@torch.no_grad()
def test_reestimated_statistics_are_those_that_training_would_store() -> None:
    """With momentum None torch averages over batches; over equal batches its means are those of all values."""
    net, batches = network(), [images(8, seed) for seed in (1, 2, 3)]
    found = reestimated(net, batches)
    trained = copy.deepcopy(net)
    for layer in trained.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
            layer.reset_running_stats()
    trained.train()
    for batch in batches:
        trained(batch)
    for name in ("1", "4"):
        torch.testing.assert_close(
            found.get_submodule(name).running_mean, trained.get_submodule(name).running_mean, atol=1e-6, rtol=1e-5
        )
        torch.testing.assert_close(
            found.get_submodule(name).running_var, trained.get_submodule(name).running_var, atol=1e-3, rtol=0.02
        )


@torch.no_grad()
def test_only_the_branch_in_use_is_reestimated() -> None:
    norm = BranchedBatchNorm2d(3, ("clean", "adv"))
    net = nn.Sequential(norm).eval()
    select_branch(net, "adv")
    found = reestimated(net, [images()]).get_submodule("0")
    torch.testing.assert_close(found.branches["adv"].running_mean, images().mean((0, 2, 3)))
    assert not found.branches["clean"].running_mean.any()
