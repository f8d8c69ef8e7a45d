"""One row an attack: its maker makes it, and its suite is the row's."""

from fractions import Fraction

import pytest

from bench.attacks import ATTACKS
from bench.attacks.call import make_attack
from bench.options import RunOptions
from bench.suites.registry import SUITES
from model_zoo.registry import find_card

MADE = [name for name, listed in ATTACKS.items() if listed.maker]


@pytest.mark.parametrize("name", MADE)
def test_a_row_makes_the_attack_that_it_names(name: str) -> None:
    made = make_attack(name, "linf", Fraction(8, 255), 10)
    assert made.fields.family == name
    assert made.trials


@pytest.mark.parametrize("name", [name for name, listed in ATTACKS.items() if listed.title])
def test_a_row_with_a_title_is_a_suite_that_runs_its_attack(name: str) -> None:
    suite, listed = SUITES[name], ATTACKS[name]
    assert suite.title == f"accuracy under {listed.title}"
    assert set(listed.options) < set(suite.uses)
    clean, attacked = suite.conditions(find_card("tiny_at"), RunOptions.of({"eps": "3/255"}))
    assert clean.attack is None
    assert attacked.attack == make_attack(name, "linf", Fraction(3, 255), 10)


def test_every_row_is_one_that_a_suite_or_a_call_runs() -> None:
    assert {name for name in ATTACKS if name not in MADE} <= set(SUITES)
