"""Every field of every estimate: value, both ends of the interval, n and unscored, where some images have no answer."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from bench.datasets.labels import label_space
from bench.metrics.accuracy import accuracy, error
from bench.metrics.base import Shown
from bench.metrics.calibration import ece, nll
from bench.metrics.corruption import corruption_error, plain_error
from bench.metrics.estimate import Estimate, Z, bootstrap, bootstrap_mean, mean_estimate
from bench.metrics.paired import compare, newcombe
from bench.metrics.ranks import paired_p, ranks
from bench.metrics.real import real_accuracy, real_labels
from bench.metrics.shape_bias import cue_accuracy, shape_bias
from bench.metrics.subset import accuracy_all

NAMES = ("bear", "cat", "dog")


def records(predictions: list[int], labels: list[int], ids: list[str] | None = None, unscored: int = 0) -> pd.DataFrame:
    """Records in order; the last `unscored` have no answer, whatever their prediction says."""
    n = len(labels)
    return pd.DataFrame(
        {
            "image_id": ids or [f"i{k}" for k in range(n)],
            "label": labels,
            "prediction": predictions,
            "scored": [k < n - unscored for k in range(n)],
        }
    )


def expect(found: Estimate, right: int, n: int, unscored: int) -> None:
    """`right` of `n`, with the interval that statsmodels gives."""
    low, high = proportion_confint(right, n, method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((right / n, low, high), abs=1e-12)
    assert (found.n, found.unscored) == (n, unscored)


def test_accuracy_and_error() -> None:
    frame = records([0, 1, 2, 3, 0, 0], [0, 1, 2, 0, 0, 0], unscored=2)
    expect(accuracy(frame), 3, 4, 2)
    low, high = proportion_confint(1, 4, method="wilson")
    found = error(frame)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, low, high))
    assert (found.n, found.unscored) == (4, 2)


def test_each_cue_has_its_own_accuracy() -> None:
    ids = ["cat1-dog1", "cat2-dog1", "cat3-dog2", "cat4-bear1", "dog1-cat2", "bear1-cat3", "cat5-dog3"]
    frames = {"x/clean": records([1, 1, 1, 0, 0, 2, 1], [1, 1, 1, 1, 2, 0, 1], ids, unscored=1)}
    expect(cue_accuracy("shape", NAMES)(frames), 3, 6, 1)
    expect(cue_accuracy("texture", NAMES)(frames), 1, 6, 1)
    expect(shape_bias(NAMES)(frames), 3, 4, 1)


def test_the_arg_max_over_all_classes() -> None:
    members = label_space("imagenet-a-200").members
    frame = records([0, 1, 2, 3], [0, 1, 2, 3], unscored=1)
    frame["prediction_all"] = [members[0][0], members[1][0] + 1, members[2][0], members[3][0]]
    expect(accuracy_all(members)({"a/clean": frame}), 2, 3, 1)


def test_real_labels_count_pictures_that_have_one() -> None:
    labels = real_labels()
    without = next(i for i, known in enumerate(labels) if not known)
    chosen = [*[i for i, known in enumerate(labels) if known][:4], without]
    ids = [f"ILSVRC2012_val_{i + 1:08d}" for i in [*chosen, 7]]
    answers = [min(labels[i]) for i in chosen[:3]] + [-1, 0, 0]
    expect(real_accuracy({"imagenet/clean": records(answers, [0] * 6, ids, unscored=1)}), 3, 4, 1)


def test_calibration_at_the_edges_of_its_bins() -> None:
    frame = records([1, 1, 1, 1, 1], [1, 0, 1, 0, 1], unscored=1)
    frame["confidence"] = [0.0, 0.0, 1.0, 1 / 15, 0.9]
    frame["margin"] = [1.0, -0.5, 2.0, -0.25, 1.0]
    found = ece({"x/clean": frame})
    # the lowest bin holds 0, 0 and 1/15 (one of three right), the highest holds 1 alone
    assert found.value == pytest.approx((abs(1 - 1 / 15) + 0) / 4)
    assert (found.n, found.unscored) == (4, 1)
    assert found.low <= found.value <= found.high
    frame["confidence"] = [0.5, 0.5, 1.0, 0.25, 0.9]
    found = nll({"x/clean": frame})
    losses = [math.log(2), math.log(2) + 0.5, 0.0, math.log(4) + 0.25]
    assert found.value == pytest.approx(sum(losses) / 4)
    assert (found.n, found.unscored) == (4, 1)
    assert found.low < found.value < found.high


def test_a_mean_and_its_bootstrap() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = mean_estimate(values, 7)
    half = stats.t.ppf(0.975, 399) * values.std(ddof=1) / 20
    assert (found.value, found.n, found.unscored) == (pytest.approx(values.mean()), 400, 7)
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)
    assert mean_estimate(values).unscored == 0
    assert bootstrap_mean(values) == pytest.approx(bootstrap(lambda w: float(values @ w / w.sum()), 400), abs=1e-12)
    many = np.arange(3000.0)  # more than are kept: drawn one by one
    assert bootstrap_mean(many, seed=1)[0] == pytest.approx(1499.5 - Z * many.std() / 3000**0.5, rel=0.01)


def test_corruption_errors_carry_n_and_unscored() -> None:
    frames = {f"imagenet-c/fog/{s}": records([0, 0, 1, 0], [0, 0, 0, 0], unscored=1) for s in range(1, 6)}
    plain = plain_error("fog")(frames)
    assert (plain.value, plain.n, plain.unscored) == (pytest.approx(1 / 3), 3, 1)
    error = corruption_error("fog")(frames)
    assert (error.n, error.unscored) == (3, 1)
    with pytest.raises(ValueError, match="several conditions of one corruption"):
        plain_error("fog")({**frames, "tiny/fog/3": frames["imagenet-c/fog/3"]})


@pytest.mark.parametrize("cells", [(40, 6, 2, 12), (10, 3, 9, 30), (5, 20, 15, 3), (1, 0, 0, 1)])
def test_newcombes_interval_from_the_correlation_of_the_two(cells: tuple[int, int, int, int]) -> None:
    a = np.repeat([1, 1, 0, 0], cells)
    b = np.repeat([1, 0, 1, 0], cells)
    n = len(a)
    excess = n * n * (np.mean(a * b) - a.mean() * b.mean())
    spread = n * n * a.std() * b.std()
    phi = (max(excess - n / 2, 0) if excess > 0 else excess) / spread
    ends = [proportion_confint(int(x.sum()), n, method="wilson") for x in (a, b)]
    (low_a, high_a), (low_b, high_b) = ends
    below, above = a.mean() - low_a, high_b - b.mean()
    down = below**2 - 2 * phi * below * above + above**2
    below, above = high_a - a.mean(), b.mean() - low_b
    up = below**2 - 2 * phi * below * above + above**2
    difference = a.mean() - b.mean()
    assert newcombe(*cells) == pytest.approx((difference - down**0.5, difference + up**0.5), abs=1e-12)


def test_every_field_of_a_paired_difference() -> None:
    a = records([1, 1, 1, 1, 0, 0, 1, 1], [1] * 8)
    b = records([1, 1, 0, 0, 1, 0, 1, 1], [1] * 8)
    found = compare(a, b)
    assert (found.difference, found.n, found.only_a, found.only_b) == (pytest.approx(1 / 8), 8, 2, 1)
    assert (found.low, found.high) == pytest.approx(newcombe(4, 2, 1, 1))
    nothing = compare(a.assign(scored=False), b)
    assert nothing.n == 0
    assert all(math.isnan(value) for value in (nothing.difference, nothing.low, nothing.high))
    single = compare(records([1], [1]), records([0], [1]))
    assert (single.difference, single.n) == (1.0, 1)
    assert single.low < single.high


def test_the_t_test_of_shares_is_scipys() -> None:
    shares = np.random.default_rng(2).random((30, 3))
    found = paired_p(shares)
    for i in range(3):
        for j in range(3):
            wanted = 1.0 if i == j else stats.ttest_rel(shares[:, i], shares[:, j]).pvalue
            assert found[i, j] == pytest.approx(wanted, rel=1e-9)
    two = np.array([[0.25, 0.5], [0.75, 0.5]])
    assert paired_p(two)[0, 1] == pytest.approx(stats.ttest_rel(two[:, 0], two[:, 1]).pvalue)
    assert paired_p(np.array([[0.25, 0.5]]))[0, 1] == 1.0


def test_neighbours_are_tested_too() -> None:
    """Of two models alone, the one pair decides; the better one leads whichever way better lies."""
    shares = pd.DataFrame({"good": [1.0] * 20, "bad": [0.0] * 20})
    assert ranks(shares) == {"good": 1, "bad": 2}
    assert ranks(shares, higher_is_better=False) == {"bad": 1, "good": 2}


def test_how_people_read_units() -> None:
    assert Shown.of("share").text(0.4567) == "45.67"
    assert Shown.of("%").text(45.67) == "45.67"
    assert Shown.of("points").text(12.3456) == "12.3"
    assert [Shown.of(unit).sign for unit in ("share", "%", "nats")] == ["%", "%", "nats"]
