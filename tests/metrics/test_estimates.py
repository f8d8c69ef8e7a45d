"""Intervals and accuracies against statsmodels, simulation and cases by hand."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import bootstrap as scipy_bootstrap
from statsmodels.stats.proportion import proportion_confint

from bench.metrics.accuracy import accuracy, error
from bench.metrics.base import MissingConditionError, SuiteFrames
from bench.metrics.corruption import ALEXNET_ERROR, CORRUPTIONS, SEVERITIES, corruption_error, mce, mean_error
from bench.metrics.estimate import LEVEL, Z, bootstrap, bootstrap_mean, wilson


def frame(predictions: list[int], labels: list[int], scored: list[bool] | None = None) -> pd.DataFrame:
    scored = scored or [True] * len(labels)
    ids = [f"i{k}" for k in range(len(labels))]
    return pd.DataFrame({"image_id": ids, "label": labels, "prediction": predictions, "scored": scored})


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_statsmodels(case: tuple[int, int]) -> None:
    successes, n = case
    assert wilson(successes, n) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-12)


def test_wilson_ends_at_0_and_1_exactly() -> None:
    assert {(wilson(0, n)[0], wilson(n, n)[1]) for n in range(1, 300)} == {(0.0, 1.0)}


def test_accuracy_leaves_unscored_images_out_of_n_but_counts_them() -> None:
    estimate = accuracy(frame([1, 2, 0, 0], [1, 1, 0, 0], [True, True, True, False]))
    assert (estimate.value, estimate.n, estimate.unscored) == (2 / 3, 3, 1)
    assert error(frame([1, 2], [1, 1])).value == 0.5


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        sample = rng.random(80) < 0.3
        low, high = bootstrap(lambda w, s=sample: float(s @ w / len(s)), 80, resamples=300, seed=trial)
        covered += low <= 0.3 <= high
    assert 0.88 <= covered / 200 <= 0.99  # binomial sd 1.5 points, and the percentile interval is a little short


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_the_fast_bootstrap_of_a_mean_is_the_bootstrap(seed: int, n: int) -> None:
    values = np.random.default_rng(seed).normal(size=n)
    slow = bootstrap(lambda w: float(w @ values / n), n, resamples=200, seed=seed)
    assert bootstrap_mean(values, resamples=200, seed=seed) == pytest.approx(slow, abs=1e-12)


def test_the_bootstrap_of_many_images_is_that_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=50)
    cached = bootstrap_mean(values, resamples=100)
    monkeypatch.setattr("bench.metrics.estimate.CACHED", 0)
    assert bootstrap_mean(values, resamples=100) == pytest.approx(cached, abs=1e-12)
    assert np.isnan(bootstrap_mean(np.array([]))).all()


def test_the_bootstrap_interval_of_a_skewed_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(5).exponential(size=120)
    theirs = scipy_bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert bootstrap_mean(values, resamples=4000) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def corrupted(error_of: dict[str, float], n: int = 100) -> dict[str, pd.DataFrame]:
    frames = {}
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            wrong = round(error_of[name] * n)
            frames[f"imagenet-c/{name}/{severity}"] = frame([1] * wrong + [0] * (n - wrong), [0] * n)
    return frames


def test_mce_is_a_mean_of_ratios_and_mean_error_is_not() -> None:
    errors = {name: (i + 1) / 20 for i, name in enumerate(CORRUPTIONS)}
    by_hand = 100 * sum(errors[name] / ALEXNET_ERROR[name] for name in CORRUPTIONS) / 15
    estimate = mce(corrupted(errors))
    assert estimate.value == pytest.approx(by_hand, abs=1e-9)
    assert estimate.low < estimate.value < estimate.high
    assert mean_error(corrupted(errors)).value == pytest.approx(sum(errors.values()) / 15)
    assert corruption_error("fog")(corrupted(errors)).value == pytest.approx(100 * errors["fog"] / ALEXNET_ERROR["fog"])


def test_alexnet_itself_has_an_mce_of_100() -> None:
    assert mce(corrupted(ALEXNET_ERROR, n=10_000)).value == pytest.approx(100, abs=0.01)


def test_seventy_four_of_seventy_five_conditions_make_no_mce() -> None:
    frames = corrupted(dict.fromkeys(CORRUPTIONS, 0.5), n=10)
    del frames["imagenet-c/fog/3"]
    with pytest.raises(MissingConditionError, match="1 of 75 conditions missing: fog/3"):
        mce(frames)


def test_the_alexnet_constants_are_those_of_the_table(shared) -> None:
    table = pd.read_csv(shared / "facts" / "alexnet_imagenet_c_errors.csv")
    canonical = table[table["variant"] == "canonical_6_digit"].set_index("corruption")["alexnet_avg_error"]
    assert canonical.to_dict() == ALEXNET_ERROR


def test_z_is_the_normal_quantile() -> None:
    assert float(ndtri(0.5 + LEVEL / 2)) == Z


@pytest.mark.parametrize("change", ["nothing", "one unscored", "one image less", "another order"])
def test_a_suite_read_from_arrow_has_the_numbers_of_its_frames(change: str) -> None:
    """Also where its conditions are not of the same images: then each number joins those that it is made of."""
    rng = np.random.default_rng(0)
    frames = {
        f"imagenet/{c}/{s}-jpeg85": frame(list(rng.integers(0, 2, 12)), [1] * 12)
        for c in CORRUPTIONS
        for s in SEVERITIES
    }
    other = "imagenet/fog/3-jpeg85"
    if change == "one unscored":
        frames[other].loc[4, "scored"] = False
    elif change == "one image less":
        frames[other] = frames[other].iloc[:-1]
    elif change == "another order":
        frames[other] = frames[other].iloc[::-1].reset_index(drop=True)
    suite = SuiteFrames(
        {n: pa.Table.from_pandas(f, preserve_index=False) for n, f in frames.items()}, frames.__getitem__
    )

    def right(name: str) -> dict[str, bool]:
        rows = frames[name].to_dict("records")
        return {row["image_id"]: row["prediction"] == row["label"] for row in rows if row["scored"]}

    def expected(names: tuple[str, ...]) -> float:
        tables = {(c, s): right(f"imagenet/{c}/{s}-jpeg85") for c in names for s in SEVERITIES}
        shared = set.intersection(*(set(table) for table in tables.values()))
        return float(np.mean([1 - table[image] for table in tables.values() for image in shared]))

    assert mean_error(suite).value == pytest.approx(expected(CORRUPTIONS), abs=1e-12)
    for name in ("fog", "frost"):
        assert corruption_error(name)(suite).value == pytest.approx(100 * expected((name,)) / ALEXNET_ERROR[name])
    assert mce(suite) == mce(frames)
    assert mce(suite).n == (11 if change.startswith("one") else 12)


@pytest.mark.parametrize("n", [2400, 2600])
def test_the_bootstrap_of_many_images_draws_as_that_of_few(n: int) -> None:
    """2,500 images is where draws are kept as bytes."""
    values = np.random.default_rng(0).uniform(size=n)
    assert bootstrap_mean(values) == pytest.approx(bootstrap(lambda weights: float(weights @ values) / n, n), rel=1e-12)
