"""Paired statistics against statsmodels, published worked cases and simulation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from bench.metrics.corruption import CORRUPTIONS, SEVERITIES, mce
from bench.metrics.estimate import wilson
from bench.metrics.paired import changed, compare, holm, mce_difference, mcnemar, newcombe


def frame(right: np.ndarray) -> pd.DataFrame:
    ids = [f"i{k:05d}" for k in range(len(right))]
    return pd.DataFrame({"image_id": ids, "label": 1, "prediction": np.where(right, 1, 0), "scored": True})


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_that_of_statsmodels(only_a: int, only_b: int) -> None:
    expected = reference_mcnemar([[10, only_a], [only_b, 10]], exact=True).pvalue
    assert mcnemar(only_a, only_b) == pytest.approx(min(1.0, expected), rel=1e-9)


@settings(max_examples=20, deadline=None)  # statsmodels takes a tenth of a second and more for each
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_newcombe_on_the_papers_example() -> None:
    """36 right under both, 12 under A alone, 2 under B alone: 0.0569 to 0.3404 (Newcombe 1998, method 10)."""
    assert newcombe(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_newcombe_without_disagreement_is_twice_wilsons_margin() -> None:
    margin = 1 - wilson(54, 54)[0]
    assert newcombe(54, 0, 0, 0) == pytest.approx((-margin, margin))


@given(st.tuples(*[st.integers(0, 40)] * 4).filter(any))
def test_newcombe_turns_with_the_models(cells: tuple[int, int, int, int]) -> None:
    both, only_a, only_b, neither = cells
    low, high = newcombe(both, only_a, only_b, neither)
    assert newcombe(both, only_b, only_a, neither) == pytest.approx((-high, -low), abs=1e-12)
    assert low - 1e-12 <= (only_a - only_b) / sum(cells) <= high + 1e-12


def test_the_interval_covers_the_true_difference() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        a = rng.random(150) < 0.7
        b = np.where(rng.random(150) < 0.8, a, rng.random(150) < 0.5)  # correlated; true difference 0.2 * 0.2
        pair = compare(frame(a), frame(b))
        covered += pair.low <= 0.04 <= pair.high
    assert 0.92 <= covered / 400 <= 0.99


def test_only_images_that_both_scored_count() -> None:
    a, b = frame(np.array([True, True, False, True])), frame(np.array([True, False, False, False]))
    b.loc[3, "scored"] = False
    pair = compare(a, b)
    assert (pair.n, pair.only_a, pair.only_b) == (3, 1, 0)
    assert changed(a, b)["image_id"].tolist() == ["i00001"]


def test_the_difference_of_mce_is_that_of_the_two() -> None:
    rng = np.random.default_rng(1)

    def model(p: float) -> dict[str, pd.DataFrame]:
        return {f"x/{c}/{s}": frame(rng.random(40) < p) for c in CORRUPTIONS for s in SEVERITIES}

    a, b = model(0.5), model(0.6)
    estimate = mce_difference(a, b)
    assert estimate.value == pytest.approx(mce(a).value - mce(b).value)
    assert estimate.low < estimate.value < estimate.high
