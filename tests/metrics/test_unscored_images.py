"""Images that one model or condition could not score: no crash, no number of the others in their place."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.cli import main
from bench.condition import Condition
from bench.folder.compare import compare_models
from bench.folder.tables import results
from bench.metrics.accuracy import correct
from bench.metrics.base import MissingConditionError
from bench.metrics.corruption import ALEXNET_ERROR, CORRUPTIONS
from bench.metrics.estimate import mean_over, wilson
from bench.metrics.paired import mce_difference
from bench.metrics.shape_bias import shape_bias
from bench.metrics.shortcut import accuracy_gap
from bench.metrics.subset import accuracy_all
from bench.metrics.union import worst_accuracy
from bench.suites.pgd import robust_accuracy
from bench.testing import write_results

N = 20
AA = "imagenet/autoattack-{}-standard"
THREATS = [AA.format(text) for text in ("linf-eps4_255", "l2-eps3", "l1-eps75")]
PGD = "imagenet/pgd-linf-eps{}_255-k10-a1_255-r1-untargeted"


def records(right: int, *lost: int, n: int = N) -> pd.DataFrame:
    scored = [i not in lost for i in range(n)]
    found = {"image_id": [f"i{i:02d}" for i in range(n)], "label": 0, "prediction": [int(i >= right) for i in range(n)]}
    return pd.DataFrame({**found, "scored": scored, "reason": None})


NOTHING, HALF, ALL = records(0, *range(N)), records(N // 2), records(N)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0)])
def test_the_least_of_several_is_unknown_where_one_of_them_is(order: tuple[int, ...]) -> None:
    chosen = [(NOTHING, HALF, ALL)[i] for i in order]
    assert math.isnan(worst_accuracy(dict(zip(THREATS, chosen, strict=True))).value)
    attacked = {PGD.format(eps): frame for eps, frame in zip((2, 4, 8), chosen, strict=True)}
    assert math.isnan(robust_accuracy({"imagenet/clean": ALL, **attacked}).value)
    assert worst_accuracy(dict(zip(THREATS, (HALF, ALL, ALL), strict=True))).value == 0.5


def test_a_watermark_s_cost_counts_the_images_that_one_of_the_two_lacks() -> None:
    found = accuracy_gap("imagenet-w/clean", "plain")({"imagenet-w/clean": records(10, 0), "plain": records(15, 3, 19)})
    both = [i for i in range(N) if i not in (0, 3, 19)]
    expected = 100 * np.mean([(i < 10) - (i < 15) for i in both])
    assert (found.value, found.n, found.unscored) == (pytest.approx(expected), 17, 3)


def corrupted(seed: int, lost: int) -> dict[str, pd.DataFrame]:
    rng, found = np.random.default_rng(seed), {}
    for name in CORRUPTIONS:
        for severity in range(1, 6):
            frame = records(N, *([lost] if (name, severity) == ("fog", 2) else []))
            found[f"imagenet-c/{name}/{severity}"] = frame.assign(prediction=rng.integers(0, 2, N))
    return found


def test_mce_of_models_that_lack_unlike_images_is_compared_on_those_of_both() -> None:
    a, b = corrupted(0, 3), corrupted(1, 7)
    both = [i for i in range(N) if i not in (3, 7)]

    def mce(frames: dict[str, pd.DataFrame]) -> float:
        ratios = []
        for name, alexnet in ALEXNET_ERROR.items():
            errors = [frames[f"imagenet-c/{name}/{s}"]["prediction"].iloc[both].mean() for s in range(1, 6)]
            ratios.append(100 * np.mean(errors) / alexnet)
        return float(np.mean(ratios))

    found = mce_difference(a, b)
    assert (found.value, found.n) == (pytest.approx(mce(a) - mce(b)), 18)


def test_the_row_of_mce_has_no_counts_of_images(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    conditions = {f"imagenet-c/{name}/{s}": 0.5 for name in CORRUPTIONS for s in range(1, 6)}
    for seed, model in enumerate("ab"):
        write_results(tmp_path, model, {"imagenet-c": conditions}, n=N, seed=seed)
    assert compare_models("a", "b", tmp_path).mce is not None
    assert main(["compare", "a", "b", str(tmp_path), "--format", "markdown"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "| mCE imagenet-c |" in line)
    assert "nan" not in row


def test_settings_of_the_same_images_are_drawn_together() -> None:
    one = correct(HALF).astype(float)
    found = mean_over([one] * 54)
    assert (found.value, found.n) == (0.5, N)
    low, high = wilson(10, N)
    assert found.high - found.low > 0.9 * (high - low)  # 54 times as many independent images: a seventh of it
    unlike = mean_over([one, one.rename(lambda name: f"x{name}")[:10]])
    assert (unlike.value, unlike.n) == ((0.5 + 1) / 2, 30)


@pytest.mark.parametrize(
    ("metric", "frame", "says"),
    [(accuracy_all([(0,)]), HALF, "no prediction_all"), (shape_bias(["cat", "dog"]), HALF, "found 'i00'")],
)
def test_what_records_do_not_tell_is_said(metric, frame: pd.DataFrame, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MissingConditionError, match=says):
        metric({"imagenet-a/clean": frame})


def test_made_up_records_of_200_classes_have_the_answer_among_all(tmp_path) -> None:  # type: ignore[no-untyped-def]
    write_results(tmp_path, "a", {"imagenet-a": {"imagenet-a/clean": 0.6}}, n=10, labels="imagenet-a-200")
    table = results(tmp_path).set_index("metric")
    assert table.loc["accuracy_200", "value"] == table.loc["accuracy_1000", "value"] == 0.6
    write_results(tmp_path / "old", "a", {"imagenet-a": {"imagenet-a/clean": 0.6}}, n=10)
    table = results(tmp_path / "old").set_index("metric")
    assert "no prediction_all" in table.loc["accuracy_1000", "because"]
    assert Condition.parse("imagenet-a/clean").dataset == "imagenet-a"
