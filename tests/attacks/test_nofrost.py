"""NoFrost's list: each attack against a bare loop as its papers (and the libraries that NoFrost calls) have it."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.attacks.nofrost import EPS, NOFROST, step_size
from bench.attacks.randomness import generator, uniform
from tests.attacks.conftest import Subject


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    return F.cross_entropy(logits, label, reduction="sum")


def hinge(logits: Tensor, label: Tensor) -> Tensor:
    """NoFrost's `cwloss` with confidence 50."""
    chosen = F.one_hot(label, logits.shape[1]).to(logits)
    real, other = (chosen * logits).sum(1), ((1 - chosen) * logits - 10_000 * chosen).amax(1)
    return -(real - other + 50).clamp(min=0).sum()


def loop(subject: Subject, start: Tensor, loss: Callable[[Tensor, Tensor], Tensor], momentum: bool) -> Tensor:
    eps, step, x = 8 / 255, 0.5 / 255, start
    velocity = torch.zeros_like(x)
    for _ in range(20):
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(subject.net(leaf), subject.labels), leaf)
        if momentum:
            velocity = velocity + gradient / gradient.abs().mean((1, 2, 3), keepdim=True)
        x = x + step * (velocity if momentum else gradient).sign()
        x = (subject.images + (x - subject.images).clamp(-eps, eps)).clamp(0, 1)
    return x


@pytest.mark.parametrize(
    ("name", "random", "loss", "momentum"),
    [
        ("bim", False, cross_entropy, False),
        ("mi-fgsm", False, cross_entropy, True),
        ("mi-pgd", True, cross_entropy, True),
        ("cw-pgd", True, hinge, False),
    ],
)
def test_final_iterates_are_the_loop_s(
    subject: Subject, name: str, random: bool, loss: Callable[[Tensor, Tensor], Tensor], momentum: bool
) -> None:
    found = NOFROST[name]().run(subject.net, subject.images, subject.labels, subject.ids, keep_adversarial=True)
    noise = uniform([generator(0, own, "pgd", 0) for own in subject.ids], *subject.images.shape[1:]) * 2 - 1
    start = (subject.images + 8 / 255 * noise).clamp(0, 1) if random else subject.images
    theirs = loop(subject, start, loss, momentum)
    right = subject.net(subject.images).argmax(1) == subject.labels
    assert found.adversarial is not None
    gap = (found.adversarial - theirs)[right].abs()
    assert (gap < 1e-5).float().mean() > 0.999  # signs of gradients that vanish are float noise
    assert set(found.broken_by) <= {None, "clean", name}
    assert ((found.adversarial - subject.images)[right].abs().amax((1, 2, 3)) > 7 / 255).all()


def test_names_say_every_choice() -> None:
    assert NOFROST["mi-fgsm"]().name == "mi-fgsm-linf-eps8_255-k20-a0.5_255-untargeted"
    assert step_size(EPS, 20) == Fraction(1, 510)
    assert step_size(Fraction(32, 255), 10) == Fraction(36, 2550)
