"""Statistics and affine parameters of branches, taken apart."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from bench.attacks.presets import make_pgd
from bench.attacks.request import Request
from bench.diagnostics.branches import branch_differences, branch_parameters, hybrid, relative_l2
from bench.diagnostics.perturb import perturb
from bench.testing import fake_model
from model_zoo.nets.normalisation import BranchedBatchNorm2d


def branched() -> nn.Module:
    torch.manual_seed(0)
    norm = BranchedBatchNorm2d(3, ("clean", "adv"))
    with torch.no_grad():
        for branch in norm.branches.values():
            branch.running_mean.normal_()
            branch.running_var.uniform_(0.5, 2)
            branch.weight.normal_()
            branch.bias.normal_()
    return nn.Sequential(norm).eval()


@pytest.mark.parametrize(("statistics", "affine"), [("clean", "adv"), ("adv", "clean"), ("adv", "adv")])
@torch.no_grad()
def test_a_hybrid_normalises_by_one_and_scales_by_the_other(statistics: str, affine: str) -> None:
    net, x = branched(), torch.rand(2, 3, 4, 4)
    before = net(x)
    branches = net.get_submodule("0").branches
    s, a = branches[statistics], branches[affine]
    scaled = (x - s.running_mean.view(1, 3, 1, 1)) / (s.running_var.view(1, 3, 1, 1) + 1e-5).sqrt()
    expected = scaled * a.weight.view(1, 3, 1, 1) + a.bias.view(1, 3, 1, 1)
    torch.testing.assert_close(hybrid(net, statistics, affine)(x), expected)
    torch.testing.assert_close(net(x), before)


def test_differences_by_hand() -> None:
    net = branched()
    clean, adv = (net.get_submodule(f"0.branches.{b}") for b in ("clean", "adv"))
    adv.load_state_dict(clean.state_dict())
    with torch.no_grad():
        adv.bias.copy_(-clean.bias)
    found = branch_differences(branch_parameters(net), "clean", "adv").set_index("part")
    assert found["distance"].to_dict() == pytest.approx({"mean": 0, "sigma": 0, "gamma": 0, "beta": 2})
    assert found["r"].to_dict() == pytest.approx({"mean": 1, "sigma": 1, "gamma": 1, "beta": -1})
    assert relative_l2(np.zeros(3), np.zeros(3)) == 0


def test_every_image_is_attacked_to_the_end_whether_right_or_wrong() -> None:
    model, attack = fake_model(), make_pgd("linf", Fraction(8, 255), 3, Fraction(4, 255))
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    right = model(images).argmax(1)
    labels = torch.where(torch.arange(6) < 3, right, (right + 1) % 1000)
    ids = [str(i) for i in range(6)]
    found = perturb(attack, Request(model, images, labels, ids, batch_size=4))
    size = (found - images).abs().flatten(1).amax(1)
    assert (size > 7.9 / 255).all()
    assert (size <= 8 / 255 + 1e-6).all()
    loss = nn.CrossEntropyLoss(reduction="none")
    assert (loss(model(found), labels) > loss(model(images), labels)).all()
    again = perturb(attack, Request(model, images[2:], labels[2:], ids[2:], batch_size=1))
    torch.testing.assert_close(again, found[2:], atol=1e-5, rtol=0)
