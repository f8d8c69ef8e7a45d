"""The fast copy of a model answers as the model does, and counts."""

from fractions import Fraction

import torch
from torch import Tensor, nn

from bench.attacks.autoattack import apgd
from bench.attacks.network import Network, freeze
from bench.attacks.prepared import prepare
from model_zoo.nets.normalisation import BranchedBatchNorm2d, select_branch
from tests.attacks.conftest import Subject


def test_folding_removes_every_batch_norm_and_moves_no_logit(subject: Subject) -> None:
    fast = prepare(subject.net, subject.images).model
    assert not [m for m in fast.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(fast(subject.images), subject.net(subject.images), atol=1e-4, rtol=1e-4)


class Untraceable(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x) if x.sum() > 0 else self.net(1 - x)
        return out


def test_a_model_that_cannot_be_traced_is_used_as_it_is(subject: Subject) -> None:
    net = Untraceable(subject.net).eval()
    fast = prepare(net, subject.images).model
    assert [m for m in fast.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(fast(subject.images), net(subject.images))


class Branched(nn.Module):
    """Two branches whose statistics differ."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 10, 3), BranchedBatchNorm2d(10, ("main", "adv"))
        self.norm.branches["adv"].running_mean += 0.5  # type: ignore[operator]
        self.norm.branches["adv"].weight.data *= -2  # type: ignore[operator, union-attr]

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).mean((2, 3))


def test_the_branch_asked_for_is_the_one_folded() -> None:
    net, images = Branched().eval(), torch.rand(4, 3, 8, 8)
    main = net(images)
    select_branch(net, "adv")
    adv = net(images)
    select_branch(net, "main")
    torch.testing.assert_close(prepare(net, images, "adv").model(images), adv)
    torch.testing.assert_close(prepare(net, images).model(images), main)
    torch.testing.assert_close(net(images), main)
    assert (main - adv).abs().max() > 0.1


def test_an_attack_through_one_branch_is_judged_by_the_other() -> None:
    net = Branched().eval()
    images = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = net(images).argmax(1)
    attack = apgd("linf", Fraction(8, 255), steps=20)
    ids = [str(i) for i in range(8)]
    own = attack.run(net, images, labels, ids, keep_adversarial=True)
    through = attack.made_through("adv").run(net, images, labels, ids, keep_adversarial=True)
    assert through.adversarial is not None
    assert torch.equal(through.prediction, net(through.adversarial).argmax(1))
    assert own.robust.sum() < through.robust.sum()
    assert net.norm.active == "main"


def test_passes_are_counted_and_bad_gradients_are_seen() -> None:
    class Strange(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            flat = x.flatten(1).sum(1)
            return torch.stack([flat * 0, (flat - flat.detach()).sqrt()], 1)

    network = Network(Strange(), torch.device("cpu"))
    zero = network.gradient(torch.rand(3, 3, 2, 2), lambda logits: logits[:, 0])
    assert (network.cost.forward, network.cost.backward) == (3, 3)
    assert zero.gradient is not None
    assert network.cost.nonfinite + network.cost.zero == 3
    network.gradient(torch.rand(2, 3, 2, 2), lambda logits: logits[:, 1])
    assert network.cost.nonfinite >= 2
    mended, blind = network._healthy(torch.tensor([torch.inf, -torch.inf, torch.nan, 2.0]).view(1, 1, 2, 2))
    assert mended.flatten().tolist() == [0, 0, 0, 2]
    assert blind.tolist() == [True]
    network.logits(torch.rand(4, 3, 2, 2))
    assert network.cost.passes == 14


def test_freezing_leaves_the_model_alone() -> None:
    net = nn.Linear(2, 2)
    frozen = freeze(net)
    assert net.weight.requires_grad
    assert not any(p.requires_grad for p in frozen.parameters())
