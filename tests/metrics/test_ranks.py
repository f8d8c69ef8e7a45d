"""Ranks and their tests against scipy, statsmodels and simulation."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from bench.metrics.ranks import paired_p, ranks


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80))
def test_right_or_wrong_is_tested_as_by_statsmodels(seed: int, n: int) -> None:
    right = np.random.default_rng(seed).random((n, 4)) < 0.6
    found = paired_p(right.astype(float))
    for i, j in itertools.permutations(range(4), 2):
        one, other = right[:, i], right[:, j]
        table = [[(one & other).sum(), (one & ~other).sum()], [(~one & other).sum(), (~one & ~other).sum()]]
        assert found[i, j] == pytest.approx(min(1.0, reference_mcnemar(table, exact=True).pvalue), rel=1e-9)


def test_shares_are_tested_as_by_scipy() -> None:
    shares = np.random.default_rng(0).random((60, 5))
    found = paired_p(shares)
    for i, j in itertools.combinations(range(5), 2):
        assert found[i, j] == pytest.approx(ttest_rel(shares[:, i], shares[:, j]).pvalue, rel=1e-9)


def test_a_copy_is_never_apart_and_a_constant_gap_always() -> None:
    one = np.linspace(0, 0.7, 20)
    found = paired_p(np.stack([one, one, one + 0.25], 1))
    assert (found[0, 1], found[0, 2], found[2, 1]) == (1.0, 0.0, 0.0)
    assert paired_p(np.array([[0.5, 0.7]])).tolist() == [[1.0, 1.0], [1.0, 1.0]]  # one image tells nothing


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_each_pair_is_tested_on_the_images_that_both_scored(seed: int, binary: bool) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.random((50, 4))
    shares = (shares < 0.6).astype(float) if binary else shares
    shares[rng.random((50, 4)) < 0.3] = np.nan
    shares[:, 3] = np.nan  # scored none
    found = paired_p(shares)
    for i, j in itertools.combinations(range(3), 2):
        both = shares[:, [i, j]][~np.isnan(shares[:, [i, j]]).any(1)]
        assert found[i, j] == pytest.approx(paired_p(both)[0, 1], rel=1e-9)
        if not binary:
            assert found[i, j] == pytest.approx(ttest_rel(both[:, 0], both[:, 1]).pvalue, rel=1e-9)
    assert (found[3] == 1).all()


def test_models_that_cannot_be_parted_share_a_place() -> None:
    rng = np.random.default_rng(2)
    base = rng.random(500) < 0.8
    near = base.copy()
    near[:3] = ~near[:3]
    far = base & (rng.random(500) < 0.7)
    shares = pd.DataFrame({"far": far, "near": near, "base": base})
    assert ranks(shares) == {"base": 1, "near": 1, "far": 3}
    assert ranks(~shares, higher_is_better=False) == ranks(shares)
    assert ranks(shares[["far"]]) == {"far": 1}


def test_equal_models_are_parted_no_more_often_than_promised() -> None:
    """Twelve models of the same true accuracy share the first place in 95 % of the worlds or more."""
    rng = np.random.default_rng(3)
    parted = sum(set(ranks(pd.DataFrame(rng.random((200, 12)) < 0.6)).values()) != {1} for _ in range(300))
    assert parted / 300 <= 0.05 + 0.025  # two standard deviations of 300 worlds
