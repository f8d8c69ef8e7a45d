"""Which attacks a suite asks for, at which budgets, and what it refuses."""

from fractions import Fraction

import pytest

from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites.registry import check_used, find_suite
from bench.testing import fake_model


def attacks_of(suite: str, size: int = 32, classes: int = 10, **options: object) -> list[str]:
    card = fake_model(size=size, classes=classes).card
    asked = RunOptions.of({"dataset": "folder", **options})
    check_used([find_suite(suite)], asked)
    clean, *attacked = find_suite(suite).conditions(card, asked)
    assert clean.attack is None
    return [setup.attack.name for setup in attacked if setup.attack]


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        ("autoattack", "autoattack-linf-eps4_255-standard"),
        ("apgd-ce", "apgd-ce-linf-eps4_255-k100-r1"),
        ("apgd-dlr", "apgd-dlr-linf-eps4_255-k100-r1"),
        ("apgd-pm", "apgd-pm-linf-eps4_255-k100-r1"),
        ("apgd-t", "apgd-t-linf-eps4_255-k100-t9"),
        ("fab-t", "fab-t-linf-eps4_255-k100-t9"),
        ("square", "square-linf-eps4_255-q5000"),
        ("bim", "bim-linf-eps8_255-k20-a0.5_255-untargeted"),
        ("mi-fgsm", "mi-fgsm-linf-eps8_255-k20-a0.5_255-untargeted"),
        ("mi-pgd", "mi-pgd-linf-eps8_255-k20-a0.5_255-untargeted"),
        ("cw-pgd", "cw-pgd-linf-eps8_255-k20-a0.5_255-untargeted"),
    ],
)
def test_every_attack_has_a_suite_of_its_name(suite: str, name: str) -> None:
    assert attacks_of(suite) == [name]


@pytest.mark.parametrize(
    ("norm", "size", "eps"),
    [
        ("linf", 32, "4_255"),
        ("l2", 32, "0.5"),
        ("l1", 32, "12"),
        ("linf", 224, "4_255"),
        ("l2", 224, "3"),
        ("l1", 224, "75"),
    ],
)
def test_the_budget_is_the_norm_s_and_the_size_s(norm: str, size: int, eps: str) -> None:
    assert attacks_of("autoattack", size, norm=norm) == [f"autoattack-{norm}-eps{eps}-standard"]


def test_unions_are_of_three_norms() -> None:
    expected = ["aa-fast-linf-eps4_255-v2", "aa-fast-l2-eps0.5-v2", "aa-fast-l1-eps12-v2"]
    assert attacks_of("union-fast") == expected
    assert attacks_of("union") == [name.replace("aa-fast", "autoattack").replace("v2", "standard") for name in expected]


@pytest.mark.parametrize(
    ("classes", "standard", "fast", "targeted"),
    [(2, "t1-standard", "t1-v2", "t1"), (3, "t2-standard", "t2-v2", "t2"), (7, "t6-standard", "v2", "t6")],
)
def test_fewer_classes_have_fewer_targets_and_the_name_says_so(
    classes: int, standard: str, fast: str, targeted: str
) -> None:
    assert attacks_of("autoattack", classes=classes) == [f"autoattack-linf-eps4_255-{standard}"]
    assert attacks_of("aa-fast", classes=classes)[0].startswith(f"aa-fast-linf-eps4_255-{fast}")
    assert attacks_of("fab-t", classes=classes) == [f"fab-t-linf-eps4_255-k100-{targeted}"]


def test_choices_that_are_offered_stand_in_the_name() -> None:
    assert attacks_of("apgd-ce", steps=20, restarts=3, eps="2/255,8/255") == [
        "apgd-ce-linf-eps2_255-k20-r3",
        "apgd-ce-linf-eps8_255-k20-r3",
    ]
    assert attacks_of("bim", steps=10, step_size="1/255") == ["bim-linf-eps8_255-k10-a1_255-untargeted"]


@pytest.mark.parametrize(
    ("suite", "option"),
    [
        ("autoattack", {"steps": 20}),
        ("aa-fast", {"attack_engine": "reference"}),
        ("square", {"steps": 20}),
        ("bim", {"norm": "l2"}),
        ("apgd-t", {"step_size": "1/255"}),
        ("union", {"norm": "l2"}),
        ("union", {"eps": "8/255"}),
    ],
)
def test_choices_that_are_not_offered_are_refused(suite: str, option: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"not used by {suite}"):
        attacks_of(suite, **option)


def test_a_union_refuses_a_budget_that_another_suite_uses() -> None:
    with pytest.raises(UsageError, match="the usual ones"):
        find_suite("union").conditions(fake_model().card, RunOptions.of({"eps": "8/255"}))


def test_pgd_is_not_offered_in_l1() -> None:
    with pytest.raises(UsageError, match="apgd-ce"):
        attacks_of("pgd", norm="l1", eps=Fraction(12))
