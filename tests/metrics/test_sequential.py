"""The interval that is valid whenever one looks: coverage by simulation, and against Hoeffding's bound."""

import math
from fractions import Fraction

import numpy as np
import pytest

from bench.metrics import sequential
from bench.metrics.sequential import StopRule, betting_interval


def drawn(share: float, total: int, seed: int) -> np.ndarray:
    """All `total` outcomes in random order."""
    values = np.zeros(total)
    values[: round(share * total)] = 1
    np.random.default_rng(seed).shuffle(values)
    return values


@pytest.mark.parametrize(("share", "width"), [(0.5, 0.05), (0.1, 0.02), (0.97, 0.01)])
def test_coverage_over_all_looks_at_once_is_95_percent(share: float, width: float) -> None:
    """An interval is the intersection of those at all earlier looks, so that the last one tells of every look."""
    missed = 0
    for seed in range(400):
        low, high = betting_interval(drawn(share, 400, seed)[:360], 400, width)
        missed += not low - 1e-9 <= round(share * 400) / 400 <= high + 1e-9
    assert missed <= 32  # 20 expected at most; 32 is the 99.6 % point of a binomial of 400 at 5 %


def test_later_looks_only_narrow() -> None:
    values = drawn(0.3, 1000, 0)
    before = (0.0, 1.0)
    for n in range(50, 1001, 50):
        low, high = betting_interval(values[:n], 1000, 0.05)
        assert before[0] - 1e-9 <= low <= values[:n].mean() + 1e-9
        assert values[:n].mean() - 1e-9 <= high <= before[1] + 1e-9
        before = low, high
    assert before == pytest.approx((0.3, 0.3))  # the whole set


@pytest.mark.parametrize("share", [0.0, 0.02, 0.4])
def test_the_interval_of_errors_mirrors_that_of_hits(share: float) -> None:
    values = drawn(share, 500, 4)[:200]
    low, high = betting_interval(values, 500, 0.03)
    assert betting_interval(1 - values, 500, 0.03) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_the_guessed_variances_are_equation_24s() -> None:
    """Of 1, 0, 1: means (1/2 + 1) / 2 and (1/2 + 1) / 3, variances (1/4 + sum of squares) / (t + 1)."""
    first, second = 0.25**2, 0.5**2
    expected = [0.25, (0.25 + first) / 2, (0.25 + first + second) / 3]
    assert sequential._variances(np.array([1.0, 0.0, 1.0])) == pytest.approx(expected)


def test_no_images_tell_nothing() -> None:
    assert betting_interval(np.array([]), 100, 0.01) == (0.0, 1.0)


def test_a_rule_stops_far_before_hoeffding_and_not_before_a_fixed_sample_would() -> None:
    rule, values = StopRule(Fraction(2)), drawn(0.2, 50_000, 1)
    n = next(n for n in range(100, 50_001, 100) if rule.met(values[:n], 50_000))
    assert 0.16 * (1.96 / 0.02) ** 2 < n < math.log(2 / 0.05) / (2 * 0.02**2)
    low, high = rule.interval(values[:n], 50_000)
    assert (high - low) / 2 <= 0.02
    assert low <= 0.2 <= high


def test_means_of_shares_are_covered_too() -> None:
    rng = np.random.default_rng(3)
    population = rng.beta(2, 5, 500)
    missed = 0
    for seed in range(200):
        order = np.random.default_rng(seed).permutation(500)[:450]
        low, high = betting_interval(population[order], 500, 0.03)
        missed += not low <= population.mean() <= high
    assert missed <= 19
