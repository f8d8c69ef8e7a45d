"""Differences that may be looked at at any time: coverage and error by simulation, over every look at once."""

from fractions import Fraction

import numpy as np
import pytest

from bench.metrics.sequential import betting_interval
from bench.metrics.told import TellRule, difference_interval, difference_p, in_common, is_enough


def pair(total: int, only_a: float, only_b: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All `total` outcomes of two models in random order, of which so many are right under one alone."""
    first, second = round(only_a * total), round(only_b * total)
    a = np.repeat([1.0, 0.0, 1.0], [first, second, total - first - second])
    b = np.repeat([0.0, 1.0, 1.0], [first, second, total - first - second])
    order = np.random.default_rng(seed).permutation(total)
    return a[order], b[order]


@pytest.mark.parametrize(("only_a", "only_b"), [(0.1, 0.1), (0.2, 0.05), (0.02, 0.0)])
def test_coverage_over_all_looks_at_once_is_95_percent(only_a: float, only_b: float) -> None:
    """The last interval is the intersection of all before it, so that it alone tells of every look."""
    missed = 0
    for seed in range(300):
        a, b = pair(400, only_a, only_b, seed)
        low, high = difference_interval((a - b)[:360], 400, 0.05)
        missed += not low - 1e-9 <= (round(only_a * 400) - round(only_b * 400)) / 400 <= high + 1e-9
    assert missed <= 25  # 15 expected at most; 25 is the 99.5 % point of a binomial of 300 at 5 %


def test_equal_models_are_told_apart_at_some_look_in_at_most_5_percent() -> None:
    rule, wrong, small = TellRule("A and B", Fraction(5)), 0, 0
    for seed in range(200):
        a, b = pair(600, 0.1, 0.1, seed)
        low, high = rule.difference(a[:500], b[:500], 600)  # of all looks until 500
        wrong += low > 0 or high < 0
        small += difference_p((a - b)[:500], 600, 0.05) <= 0.05
    assert wrong <= small  # a mean that was refuted from above may lie below the sample's mean later
    assert small <= 18  # 99.5 % point of a binomial of 200 at 5 %


def test_a_p_is_below_a_twentieth_where_the_interval_leaves_no_difference_out() -> None:
    a, b = pair(2000, 0.3, 0.1, 0)
    for n in range(20, 400, 20):
        low, _ = difference_interval((a - b)[:n], 2000, 0.05)
        assert (low > 0) == (difference_p((a - b)[:n], 2000, 0.05) <= 0.05)


def test_a_rule_stops_for_a_difference_and_for_none() -> None:
    rule = TellRule("A and B", Fraction(3))
    unlike, alike = pair(10_000, 0.15, 0.05, 1), pair(10_000, 0.02, 0.02, 1)
    for a, b in (unlike, alike):
        n = next(n for n in range(100, 10_001, 100) if rule.met(a[:n], b[:n], 10_000))
        assert n < 5_000
    low, high = rule.difference(*alike, 10_000)
    assert -0.03 < low <= 0 <= high < 0.03


@pytest.mark.parametrize(
    ("interval", "met"),
    [
        ((-0.2, 0.005), False),
        ((0.0, 0.2), False),
        ((-0.2, 0.0), False),
        ((-0.01, 0.005), False),
        ((-0.005, 0.01), False),
        ((-0.005, 0.2), False),
        ((-0.005, 0.005), True),
        ((0.001, 0.2), True),
        ((-0.2, -0.001), True),
    ],
)
def test_both_ends_exclude_the_gap(interval: tuple[float, float], met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TellRule, "difference", lambda *_: interval)
    assert TellRule("A and B", Fraction(1)).met(np.ones(3), np.ones(3), 10) is met


def test_images_that_one_model_did_not_score_count_for_neither() -> None:
    a, b = in_common(np.array([1.0, np.nan, 0.0, 1.0]), np.array([1.0, 1.0, np.nan]))
    assert (a.tolist(), b.tolist()) == ([1.0], [1.0])


def test_a_models_own_interval_is_the_sequence_that_does_best_at_five_points() -> None:
    values, _ = pair(2000, 0.3, 0.1, 0)
    found = TellRule("A and B", Fraction(1)).estimate(values[:700], 2000, unscored=2)
    assert (found.low, found.high) == betting_interval(values[:700], 2000, 0.05)
    assert (found.value, found.n, found.unscored) == (pytest.approx(values[:700].mean()), 700, 2)


def test_units_are_held_against_those_of_the_same_images_whatever_is_lacking() -> None:
    """Of three units the first is alike; of the others each model has one: side by side these would tell them apart."""
    rule, half = TellRule("a and b", Fraction(1)), np.repeat([1.0, 0.0], 50)
    mine = {200: np.ones(100), 0: half}
    other = {0: half, 100: np.zeros(100)}
    assert rule.met(np.concatenate([half, np.ones(100)]), np.concatenate([half, np.zeros(100)]), 1000)
    assert not is_enough(rule, mine, other, 1000)
    assert is_enough(rule, mine, other | {200: np.zeros(100)}, 1000)
    assert not is_enough(rule, mine, {}, 1000)
    assert not is_enough(None, mine, other, 1000)
