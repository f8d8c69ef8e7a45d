"""The reference engine is pyautoattack itself, and what it hands back is scored anew."""

import sys
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from bench.attacks import reference as module
from bench.attacks.reference import STEPS_UNKNOWN, Counted, reference
from bench.errors import UsageError

EPS = Fraction(8, 255)
IDS = [f"image{i}" for i in range(6)]


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 12, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(12 * 9, 10)).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def labels(net: nn.Module, images: Tensor) -> Tensor:
    """The network's own predictions, but for the first image."""
    predicted = net(images).argmax(1)
    predicted[0] = (predicted[0] + 1) % 10
    return predicted


def test_verdicts_come_from_the_pictures_handed_back(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    result = reference("linf", EPS).run(net, images, labels, IDS, keep_adversarial=True)
    assert result.adversarial is not None
    predicted = net(result.adversarial).argmax(1)
    assert result.prediction.equal(predicted)
    assert [verdict is None for verdict in result.broken_by] == (predicted == labels).tolist()
    assert result.broken_by[0] == "clean"
    assert result.distance[0] == 0
    assert "apgd-ce" in result.broken_by
    assert result.distance.max() <= float(EPS) + 1e-6
    assert ((result.margin < 0) == (predicted != labels)).all()
    assert result.steps.unique().tolist() == [STEPS_UNKNOWN]


def test_channels_last_pictures_are_taken(
    net: nn.Module, images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyautoattack views gradients, which inherit the layout: its targeted attack failed on permuted uint8 images."""
    monkeypatch.setattr(module, "COMPONENTS", ("apgd-t",))
    pictures = images.contiguous(memory_format=torch.channels_last)
    assert reference("linf", EPS).run(net, pictures, labels, IDS).broken_by[1] == "apgd-t"


def test_an_image_out_of_reach_stands_unchanged(
    net: nn.Module, images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPONENTS", ("apgd-ce",))
    result = reference("l2", Fraction(1, 10**6)).run(net, images, labels, IDS, keep_adversarial=True)
    assert result.broken_by == ["clean", *[None] * 5]
    assert result.adversarial is not None
    assert result.adversarial.equal(images)
    assert result.robust.tolist() == [False, *[True] * 5]


def test_a_condition_of_the_native_name_but_another_implementation() -> None:
    attack = reference("linf", EPS)
    assert attack.name == "autoattack-linf-eps8_255-standard"
    assert attack.implementation.startswith("pyautoattack ")


def test_every_pass_is_counted(net: nn.Module, images: Tensor) -> None:
    counted = Counted(net)
    counted(images)
    leaf = images[:2].clone().requires_grad_()
    torch.autograd.grad(counted(leaf).sum(), [leaf])
    assert (counted.cost.forward, counted.cost.backward) == (8, 2)


def test_the_debugger_is_left_alone() -> None:
    def trace(frame: object, event: str, argument: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with module._tracing_kept():
            sys.settrace(None)
        kept = sys.gettrace()
    finally:
        sys.settrace(before)
    assert kept is trace


def test_bad_input_is_refused_before_the_first_pass(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    with pytest.raises(UsageError, match="normalisation inside the model"):
        reference("linf", EPS).run(net, images * 2, labels, IDS)
    with pytest.raises(UsageError, match="write 4/255"):
        reference("linf", Fraction(4))
    few = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)).eval()
    with pytest.raises(UsageError, match="at least 10 classes, found 4"):
        reference("linf", EPS).run(few, images, labels % 4, IDS)
    with pytest.raises(UsageError, match="at least 4 classes, found 3"):
        reference("linf", EPS, 3).run(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).eval(), images, labels % 3, IDS)


def test_fewer_classes_have_fewer_targets(images: Tensor) -> None:
    few = nn.Sequential(nn.Flatten(), nn.Linear(192, 5)).eval()
    result = reference("linf", EPS, 5).run(few, images, few(images).argmax(1), IDS)
    assert "apgd-t" in result.broken_by


class Stirred(nn.Module):
    """A network that sees how its images differ from their batch's mean."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x - x.mean(0) + 0.5)
        return out


def test_a_model_that_answers_by_its_batch_is_refused(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    with pytest.raises(UsageError, match="the other images of the batch"):
        reference("linf", EPS).run(Stirred(net).eval(), images, labels, IDS)
