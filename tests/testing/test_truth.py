"""Models of known robustness: their closed forms against solvers, and every attack against the closed forms."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from torch import Tensor

from bench.attacks import autoattack
from bench.attacks.base import Attack
from bench.attacks.budget import Norm
from bench.attacks.presets import make_pgd
from bench.attacks.reliability import assess
from bench.testing import AffineHead, HiddenGradients, PiecewiseConstant, affine_heads
from bench.testing.truth import least_change
from benchmarks.attack_truth import compare, heads, pictures
from tests.conftest import ShortChecks

Drawn = tuple[AffineHead, Tensor, Tensor]

EPS: dict[Norm, Fraction] = {"linf": Fraction(3, 255), "l2": Fraction(3, 10), "l1": Fraction(2)}

CLEAR = 0.02
"""A lead from which on a closed form in float64 and a pass in float32 cannot disagree."""


def by_solver(slope: np.ndarray, x: np.ndarray, norm: Norm, eps: float) -> float:
    """The least of slope . d by scipy."""
    m = len(x)
    bounds = list(zip(-x, 1 - x, strict=True))
    if norm == "linf":
        return float(linprog(slope, bounds=[(max(a, -eps), min(b, eps)) for a, b in bounds]).fun)
    if norm == "l1":  # d = u - v
        both = [(0, b) for _, b in bounds] + [(0, -a) for a, _ in bounds]
        return float(linprog([*slope, *-slope], A_ub=[[1] * (2 * m)], b_ub=[eps], bounds=both).fun)
    ball = {"type": "ineq", "fun": lambda d: eps**2 - d @ d, "jac": lambda d: -2 * d}
    return float(minimize(lambda d: slope @ d, np.zeros(m), jac=lambda _: slope, bounds=bounds, constraints=ball).fun)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("eps", [0.01, 0.3, 2.0])
def test_the_least_change_is_what_a_solver_finds(norm: Norm, eps: float) -> None:
    rng = np.random.default_rng(0)
    slope, x = rng.normal(size=(4, 6)), rng.uniform(-0.3, 1.3, (4, 6)).clip(0, 1)
    found = least_change(torch.tensor(slope), torch.tensor(x), norm, eps).tolist()
    assert found == pytest.approx([by_solver(*row, norm, eps) for row in zip(slope, x, strict=True)], abs=3e-5)


def test_a_quantised_picture_moves_by_whole_levels() -> None:
    """By trying every corner of the ball."""
    draw = torch.Generator().manual_seed(0)
    head = PiecewiseConstant(torch.randn(3, 3, 1, 2, generator=draw), torch.zeros(3), levels=9)
    image = torch.rand(1, 3, 1, 2, generator=draw)
    corners = torch.cartesian_prod(*[torch.linspace(-0.1, 0.1, 3)] * 6).view(-1, 3, 1, 2)
    logits = head((image + corners).clamp(0, 1))
    for label in range(3):
        others = logits.clone()
        others[:, label] = -torch.inf
        expected = (logits[:, label] - others.amax(1)).min()
        found = head.worst_lead(image, torch.tensor([label]), "linf", 0.1)
        assert float(found) == pytest.approx(float(expected), abs=1e-5)


ATTACKS: list[tuple[str, Callable[[Norm, Fraction], Attack], tuple[Norm, ...]]] = [
    ("pgd", lambda norm, eps: make_pgd(norm, eps, 20), ("linf", "l2")),
    ("apgd-ce", lambda norm, eps: autoattack.apgd(norm, eps, steps=40), ("linf", "l2", "l1")),
    ("apgd-dlr", lambda norm, eps: autoattack.apgd(norm, eps, "dlr", 40), ("linf", "l2")),
    ("square", lambda norm, eps: autoattack.square(norm, eps, 100), ("linf", "l2")),
]


@pytest.mark.parametrize(("name", "make", "norm"), [(n, m, norm) for n, m, norms in ATTACKS for norm in norms])
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=affine_heads(), data=st.data())
def test_an_attack_lies_between_the_truth_and_its_guarantee(
    name: str, make: Callable[[Norm, Fraction], Attack], norm: Norm, drawn: Drawn, data: st.DataObject
) -> None:
    head, images, labels = drawn
    if name == "apgd-dlr" and len(head.bias) < 3:
        return
    scale = data.draw(st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(3)]))
    eps = EPS[norm] * scale
    worst = head.worst_lead(images, labels, norm, float(eps))
    found = make(norm, eps).run(head.eval(), images, labels, [str(i) for i in range(len(labels))]).robust
    assert found[worst > CLEAR].all(), "an image was broken that no image in its ball breaks"
    if name != "square":  # two classes: one hyperplane, at which a gradient points
        sure = worst < -0.1 * (worst - head.worst_lead(images, labels, norm, 0.0)).abs()
        missed = (found & sure).sum()
        assert missed <= (0 if len(head.bias) == 2 else 0.25 * len(labels))


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=affine_heads(), norm=st.sampled_from(["linf", "l2", "l1"]))
def test_the_ensemble_is_exact_on_affine_heads(drawn: Drawn, norm: Norm) -> None:
    head, images, labels = drawn
    classes, eps = len(head.bias), EPS[norm]
    worst = head.worst_lead(images, labels, norm, float(eps))
    ids = [str(i) for i in range(len(labels))]
    attack = autoattack.ensemble(
        "parts",
        autoattack.apgd(norm, eps, steps=50),
        autoattack.apgd_t(norm, eps, classes - 1, 50, "dlr-targeted" if classes > 3 else "margin-targeted"),
        choices="",
    )
    found = attack.run(head.eval(), images, labels, ids).robust
    clear = worst.abs() > CLEAR
    assert found[clear].equal((worst > 0)[clear])


@pytest.fixture
def short_attacks(short_checks: ShortChecks) -> Iterator[None]:
    with short_checks():
        yield


@pytest.mark.parametrize("kind", ["piecewise", "hidden"])
@pytest.mark.usefixtures("short_attacks")
def test_a_gradient_attack_on_what_hides_its_gradients_is_unreliable(kind: str) -> None:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(10, 3, 6, 6, generator=draw)
    plain = AffineHead(weight, -weight.flatten(1).sum(1) / 2)
    seen = torch.zeros(3, 6, 6, dtype=torch.bool)
    seen[:, :1] = True
    head = (
        PiecewiseConstant(weight, plain.bias, 63) if kind == "piecewise" else HiddenGradients(weight, plain.bias, seen)
    )
    images = torch.rand(32, 3, 6, 6, generator=draw)
    labels, ids, eps = head(images).argmax(1), [str(i) for i in range(32)], Fraction(10, 255)
    attack = make_pgd("linf", eps, 20)
    found = attack.run(head.eval(), images, labels, ids).robust
    true = head.robust(images, labels, "linf", float(eps))
    assert found[true].all()
    assert found.sum() > true.sum() + 8
    verdict = assess(head.eval(), images, labels, ids, "linf", eps, attack=attack)
    assert verdict.level == "unreliable"
    assert verdict.overstatement is not None
    assert 0 < verdict.overstatement.value <= float((found & ~true).float().mean()) + 1e-6


@pytest.mark.parametrize(
    ("model", "suite", "norm", "tolerance"),
    [("affine", "pgd", "linf", 0.02), ("affine", "apgd-ce", "l1", 0.02), ("piecewise", "apgd-ce", "linf", 1)],
)
@pytest.mark.usefixtures("short_attacks")
def test_a_run_reports_the_truth(model: str, suite: str, norm: Norm, tolerance: float) -> None:
    """With its verdict; `test_truth_of_suites.py` has every suite, without."""
    family = heads(*pictures(_tiny(), 300))
    row = compare(model, family[model], suite, norm, limit=60)
    assert row.sound
    assert row.true - 1e-9 <= row.ours <= row.true + tolerance + 1e-9
    assert row.verdict == ("unreliable" if model == "piecewise" else "reliable")


def _tiny() -> object:
    from bench.datasets.table import open_dataset, parse_roots

    return open_dataset("tiny", parse_roots(None, None), "")
