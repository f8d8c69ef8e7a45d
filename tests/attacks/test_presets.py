"""Steps and budgets that nobody typed: they follow from norm, eps and steps, and can cross the ball."""

from fractions import Fraction

import pytest
import torch
from torch import nn

from bench.attacks.presets import default_step, make_pgd, published
from bench.condition import SHORT
from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites.registry import SUITES, find_suite
from bench.testing import fake_model
from model_zoo.card import METHODS, InputSpec, ModelCard, WeightsSpec


def card(size: int = 32, method: str = "standard") -> ModelCard:
    return ModelCard("x", method, "fake", InputSpec(size, resize=size), WeightsSpec("none", "user", "CC0"))  # type: ignore[arg-type]


def attack(suite: str, size: int = 32, **options: object) -> str:
    """The name of the suite's first attack."""
    found = find_suite(suite).conditions(card(size), RunOptions.of(options))
    return next(setup.attack.name for setup in found if setup.attack)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "pgd-linf-eps4_255-k10-a1_255-r1-untargeted"),  # SAT's
        ({"eps": "8/255"}, "pgd-linf-eps8_255-k10-a2_255-r1-untargeted"),
        ({"eps": "4/255", "steps": 50}, "pgd-linf-eps4_255-k50-a0.2_255-r1-untargeted"),
        ({"norm": "l2", "eps": 2}, "pgd-l2-eps2-k10-a0.5-r1-untargeted"),
        ({"norm": "l2"}, "pgd-l2-eps0.5-k10-a0.125-r1-untargeted"),
        ({"eps": "4/255", "step_size": "1/255", "steps": 3}, "pgd-linf-eps4_255-k3-a1_255-r1-untargeted-short"),
        ({"steps": 1, "step_size": "0.1/255"}, "pgd-linf-eps4_255-k1-a0.1_255-r1-untargeted-short"),
    ],
)
def test_the_default_step_follows_from_norm_eps_and_steps(options: dict[str, object], name: str) -> None:
    assert attack("pgd", **options) == name


@pytest.mark.parametrize(("size", "eps"), [(32, "0.5"), (224, "3")])
@pytest.mark.parametrize("suite", ["pgd", "autoattack", "aa-fast"])
def test_l2_has_its_own_usual_budget(suite: str, size: int, eps: str) -> None:
    assert f"-l2-eps{eps}-" in attack(suite, size, norm="l2")


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 2, 10, 333])
@pytest.mark.parametrize("eps", [Fraction(0), Fraction(1, 510), Fraction(8, 255), Fraction(3)])
def test_a_default_crosses_the_ball(norm: str, steps: int, eps: Fraction) -> None:
    """From one edge to the other: on a linear model the last iterate is the best, wherever it starts."""
    eps = min(eps, Fraction(254, 255)) if norm == "linf" else eps
    made = make_pgd(norm, eps, steps)
    assert SHORT not in made.fields.words
    assert steps * default_step(eps, steps) >= 2 * eps


BY_MODEL = ("pgd-branches", "transfer")
"""Suites that not every model has conditions in."""


def test_no_published_attack_and_no_suites_default_is_short() -> None:
    names = [published(card(method=method)).name for method in METHODS]
    for suite in SUITES.values():
        for setup in suite.conditions(fake_model().card, RunOptions()) if suite.name not in BY_MODEL else ():
            names += [setup.attack.name] if setup.attack else []
    assert not [name for name in names if SHORT in name]


def test_a_papers_attack_is_not_changed_without_a_word() -> None:
    with pytest.raises(UsageError, match="uses the attack of the model's own paper"):
        attack("pgd", protocol="published", steps=50, norm="l2")
    assert "-k50-" in attack("pgd", protocol="published", steps=50, eps="4/255")


def test_pgd_within_a_large_l2_ball_breaks_what_a_linear_model_must_lose() -> None:
    """Every image whose distance to the boundary is below eps falls: ten steps reach all of the ball."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2)).eval().requires_grad_(False)
    images = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.2 + 0.4
    lead = (net(images) @ torch.tensor([1.0, -1.0])).detach()
    labels = (lead < 0).long()
    distance = lead.abs() / (net[1].weight[0] - net[1].weight[1]).norm()
    eps = Fraction(float(distance.median())).limit_denominator(1000)
    stands = make_pgd("l2", eps, 10).run(net, images, labels, [str(i) for i in range(40)]).robust
    clear = (distance / float(eps) - 1).abs() > 0.02
    assert stands[clear].equal((distance > float(eps))[clear])
    assert 10 < stands.sum() < 30


@pytest.mark.parametrize(
    ("method", "eps", "steps", "targeted"),
    [("sat", 4, 200, False), ("intriguing", 16, 2000, True), ("nofrost", 8, 20, False), ("advprop", 4, 5, False)],
)
def test_the_papers_attacks_are_as_they_say(method: str, eps: int, steps: int, targeted: bool) -> None:
    """arXiv 2006.14536, 1906.03787, 2207.01156, and the attacker of 1911.09665's training."""
    found = published(card(method=method))
    assert (found.eps, found.fields.steps, found.fields.targeted) == (Fraction(eps, 255), steps, targeted)
