"""Models that are no function of an image, or give an attack nothing to follow: refused, or said beside the number."""

import threading
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.attacks.autoattack import square
from bench.attacks.network import copied
from bench.attacks.presets import make_pgd
from bench.attacks.reliability import assess
from bench.errors import UsageError
from tests.attacks.conftest import Around, Subject

EPS = Fraction(8, 255)


class Masked(Around):
    """Four classes that do not exist, of which the logits are set far below all others."""

    def scores(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        out = self.scores(x)
        return torch.cat([out, torch.full_like(out[:, :4], -1e9)], 1)


class MaskedRandom(Masked):
    def scores(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out + 0.5 * torch.randn(out.shape)


class MaskedByBatch(Masked):
    def scores(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x - 0.5 * x.mean(0))
        return out


class RandomAway(Around):
    """Random where an image is not one of eight bits, as none of a search is."""

    def forward(self, x: Tensor) -> Tensor:
        away = (x * 255 - (x * 255).round()).abs().flatten(1).amax(1) > 1e-3
        noise = away[:, None, None, None] * torch.randn(x.shape)
        out: Tensor = self.net(x + 0.1 * noise)
        return out


class Memory(Around):
    """Answers near what it has seen as it answered then, from the query number `after` on."""

    after = 0

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.seen: list[list[Any]] = []

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.one(image, own) for image, own in zip(x, self.net(x), strict=True)])

    def one(self, image: Tensor, own: Tensor) -> Tensor:
        for known in self.seen:
            if (image.detach() - known[0]).abs().max() <= 1.2 * float(EPS):
                known[2] += 1
                out: Tensor = known[1] + own - own.detach() if known[2] > self.after else own
                return out
        self.seen.append([image.detach().clone(), own.detach(), 0])
        return own


class LockedMemory(Memory):
    """Holds what cannot be copied."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.guards = {"lock": threading.Lock()}


class LateMemory(Memory):
    after = 12


def eight_bits(subject: Subject) -> Tensor:
    return (subject.images * 255).round() / 255


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (MaskedRandom, "the forward pass is random"),
        (MaskedByBatch, "depends on the other images of the batch"),
        (RandomAway, "random, or keeps state, near an image"),
        (LockedMemory, "remembers earlier inputs"),
        (LateMemory, "remembers earlier inputs"),
    ],
)
def test_what_is_no_function_of_an_image_is_refused(subject: Subject, model: type[Around], reason: str) -> None:
    attack = make_pgd("linf", EPS, 20, EPS / 8, random_start=False)
    with pytest.raises(UsageError, match=reason):
        attack.run(model(subject.net).eval(), eight_bits(subject), subject.labels, subject.ids)


def test_masked_classes_change_no_verdict(subject: Subject) -> None:
    attack = make_pgd("linf", EPS, 10, EPS / 4, random_start=False)
    plain, masked = (
        attack.run(model.eval(), subject.images, subject.labels, subject.ids)
        for model in (subject.net, Masked(subject.net))
    )
    assert 0 < int(plain.robust.sum()) < 24
    assert masked.robust.equal(plain.robust)
    assert masked.notes == ()


def test_locks_are_shared_by_a_copy_and_all_else_is_not(subject: Subject) -> None:
    model = LockedMemory(subject.net)
    model(subject.images[:2])
    other: Any = copied(model)
    assert other.guards["lock"] is model.guards["lock"]
    assert other.guards is not model.guards
    assert len(other.seen) == 2
    assert other.seen is not model.seen
    assert other.net[0].weight is not model.net[0].weight


class Turned(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: object, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(_ctx: object, *gradients: Tensor) -> Tensor:
        return -gradients[0]


class Misleading(Around):
    """The gradient's opposite."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(Turned.apply(x))
        return out


class Blind(Around):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net((x * 255).round() / 255)
        return out


@pytest.mark.parametrize("model", [Misleading, Blind])
@pytest.mark.parametrize("name", ["pgd", "cw-pgd"])
def test_an_attack_that_was_not_led_says_so(subject: Subject, model: type[Around], name: str) -> None:
    found = bench.attack(model(subject.net).eval(), eight_bits(subject), subject.labels, name, eps=EPS)
    assert int(found.robust.sum()) > 15
    assert f"of {int(found.robust.sum())} surviving images" in found.notes[-1]
    assert "did not lower the label's lead" in found.notes[-1]


def test_an_attack_on_targets_tells_of_gradients_that_are_zero(subject: Subject) -> None:
    model = Blind(subject.net).eval()
    found = bench.attack(model, eight_bits(subject), subject.labels, "apgd-t", eps=EPS, steps=5)
    assert found.robust.all()
    assert "gradients were zero or not finite" in found.notes[-1]


@pytest.mark.parametrize(
    ("name", "choices"),
    [("pgd", {}), ("apgd-t", {"steps": 20}), ("fab-t", {"steps": 20}), ("square", {"queries": 60, "eps": "24/255"})],
)
def test_an_attack_that_was_led_says_nothing(subject: Subject, name: str, choices: Any) -> None:
    found = bench.attack(subject.net, subject.images, subject.labels, name, **{"eps": "12/255", **choices})
    assert 0 < int(found.robust.sum()) < 24
    assert found.notes == ()


class Numpy(Around):
    """A step outside torch, which takes no tensor with a gradient."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(torch.from_numpy((x.numpy() * 15).round() / 15))
        return out


def test_without_gradients_square_alone_gives_a_number(subject: Subject) -> None:
    model, detached = Numpy(subject.net).eval(), lambda x: subject.net((x * 15).round() / 15)
    with pytest.raises(UsageError, match=r"cannot be differentiated by its input.*use square or transfer"):
        bench.attack(model, subject.images, subject.labels, "pgd", eps=EPS)
    found = square("linf", 2 * EPS, 100).run(model, subject.images, subject.labels, subject.ids, keep_adversarial=True)
    assert found.adversarial is not None
    assert found.robust.equal(detached(found.adversarial).argmax(1) == subject.labels)
    assert 0 < int(found.robust.sum()) < int((detached(subject.images).argmax(1) == subject.labels).sum())


class Scrambled(Around):
    """Its own logits, and a gradient drawn at random."""

    def forward(self, x: Tensor) -> Tensor:
        shown = x * 1
        if shown.requires_grad:
            shown.register_hook(torch.randn_like)  # type: ignore[no-untyped-call]
        out: Tensor = self.net(shown)
        return out


@pytest.mark.parametrize("name", ["pgd", "aa-fast", "fab-t"])
def test_random_gradients_are_refused(subject: Subject, name: str) -> None:
    with pytest.raises(UsageError, match=r"input gradients are random.*use square or transfer"):
        bench.attack(Scrambled(subject.net).eval(), subject.images, subject.labels, name, eps=EPS)


def test_random_gradients_hinder_no_square_and_its_verdict_tells_of_them(subject: Subject) -> None:
    attack = square("linf", 2 * EPS, 100)
    given = subject.images, subject.labels, subject.ids
    model = Scrambled(subject.net).eval()
    assert attack.run(model, *given).robust.equal(attack.run(subject.net, *given).robust)
    verdict = assess(model, *given, "linf", 2 * EPS, attack=attack)
    assert verdict.level == "unreliable"
    assert any("differ between float32 and float64" in why for why in verdict.because)


def test_a_far_offset_of_float64_logits_changes_no_verdict(subject: Subject) -> None:
    class Far(Around):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.net(x)
            return out.double() + 1e8

    attack = make_pgd("linf", EPS, 10, EPS / 4, random_start=False)
    plain, far = (
        attack.run(model.eval(), subject.images, subject.labels, subject.ids)
        for model in (subject.net, Far(subject.net))
    )
    assert far.robust.equal(plain.robust)
    torch.testing.assert_close(far.margin, plain.margin, atol=1e-4, rtol=0)
