"""The verdict is on the number: a weak attack's overstates by what a linear model's margins say it must."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from bench.attacks import masking
from bench.attacks.autoattack import apgd
from bench.attacks.overstatement import Overstatement, stronger
from bench.attacks.presets import make_pgd
from bench.attacks.reliability import StandingPictures, assess
from bench.rounding import decimal
from tests.conftest import ShortChecks

EPS = Fraction(8, 255)


@pytest.fixture(autouse=True)
def short_attacks(short_checks: ShortChecks) -> Iterator[None]:
    with short_checks(queries=100):
        yield


@pytest.fixture(scope="module")
def linear() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 2))
    with torch.no_grad():
        net[1].bias.copy_(-net[1].weight.sum(1) / 2)
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(40, 3, 6, 6, generator=torch.Generator().manual_seed(1)) * 0.5 + 0.25


def of(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The predictions [n], and the distance in Linf to the boundary [n]: the lead over its gradient's sum."""
    logits = net(images)
    weight = net[1].weight  # type: ignore[index]
    return logits.argmax(1), (logits[:, 0] - logits[:, 1]).abs() / (weight[0] - weight[1]).abs().sum()


@pytest.mark.parametrize(("steps", "step"), [(1, Fraction(1, 2550)), (10, None)])
def test_it_is_what_the_boundary_says(linear: nn.Module, images: Tensor, steps: int, step: Fraction | None) -> None:
    labels, distance = of(linear, images)
    ids = [str(i) for i in range(40)]
    attack = make_pgd("linf", EPS, steps, step)
    found = attack.run(linear, images, labels, ids).robust
    verdict = assess(linear, images, labels, ids, "linf", EPS, attack=attack)
    number = verdict.overstatement
    assert number is not None
    assert (number.images, number.fallen) == (int(found.sum()), int((found & (distance < float(EPS))).sum()))
    assert number.value == pytest.approx(number.fallen / 40)
    if step:
        assert number.fallen > 10
        assert (verdict.level, number.short) == ("unreliable", True)
        assert str(verdict).startswith(
            f"unreliable, because the number overstates by {decimal(100 * number.fallen / 40)} "
        )
        assert "cannot reach the edge" in str(verdict)
    else:
        assert (verdict.level, number.fallen, number.short) == ("reliable", 0, False)
        assert "overstates by 0.0 points [0.0, " in str(verdict)


def test_what_stands_in_the_records_is_looked_at_and_not_what_a_new_attack_finds(
    linear: nn.Module, images: Tensor
) -> None:
    labels, distance = of(linear, images)
    ids = [str(i) for i in range(40)]
    claimed = distance.argsort()[:8]  # the nearest of all
    rows = StandingPictures(images[claimed], labels[claimed], [ids[int(i)] for i in claimed], 0.5)
    verdict = assess(linear, images, labels, ids, "linf", EPS, attack=make_pgd("linf", EPS, 10), standing=rows)
    assert verdict.overstatement == Overstatement(8, 8, 0.5)
    assert verdict.level == "unreliable"


def test_a_number_that_nothing_stands_in_overstates_nothing(linear: nn.Module, images: Tensor) -> None:
    labels, _ = of(linear, images)
    none = StandingPictures(images[:0], labels[:0], [], 0.0)
    ids = [str(i) for i in range(40)]
    verdict = assess(linear, images, labels, ids, "linf", EPS, attack=make_pgd("linf", EPS, 10), standing=none)
    assert (verdict.level, verdict.because) == ("reliable", ["no image survives, so the number cannot overstate"])


@pytest.mark.parametrize(
    ("images", "fallen", "standing", "short", "level"),
    [
        (32, 0, 1.0, False, "reliable"),
        (32, 0, 1.0, True, "doubtful"),
        (32, 1, 1.0, False, "reliable"),  # 3.1 points
        (32, 2, 1.0, False, "doubtful"),  # 6.3 points
        (32, 3, 0.5, False, "reliable"),  # 4.7 points
        (32, 4, 1.0, False, "doubtful"),  # 12.5 points, by statsmodels from 4.97
        (32, 5, 1.0, False, "unreliable"),  # 15.6 points, from 6.9
        (32, 3, 1.0, False, "doubtful"),
        (3, 1, 1.0, False, "unreliable"),  # 33 points, from 6.1
        (2, 1, 0.3, False, "doubtful"),  # 15 points, from 2.8
        (100, 100, 0.04, False, "reliable"),  # all of a number of 4 %
        (0, 0, 0.0, False, "reliable"),
    ],
)
def test_limits(images: int, fallen: int, standing: float, short: bool, level: str) -> None:
    assert Overstatement(images, fallen, standing, short).level == level


def test_what_is_stronger_asks_the_same_question() -> None:
    plain = [attack.name for attack in stronger(apgd("l2", Fraction(1)).made_through("adv"), 10)]
    assert [name.split("-l2-")[0] for name in plain] == ["apgd-ce", "apgd-dlr", "apgd-t", "square"]
    assert all(name.endswith("-through-adv") and "-eps1-" in name for name in plain)
    assert [attack.family for attack in stronger(apgd("linf", EPS), 2)] == ["apgd-ce", "square"]
    aimed = stronger(make_pgd("linf", EPS, 10, EPS / 16, restarts=2, targeted=True), 10)
    assert {(a.fields.targeted, a.fields.restarts, a.fields.steps) for a in aimed} == {(True, 2, masking.LONG)}
    assert {attack.fields.step_size for attack in aimed} == {EPS / 16, EPS / 4}
