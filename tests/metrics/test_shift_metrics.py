"""Shape bias, calibration, effective robustness, ReaL and relative mCE against hand cases and independent code."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from bench.datasets.categories import CATEGORIES
from bench.datasets.known.imagenet_v2 import V2_VARIANTS
from bench.datasets.labels import label_space
from bench.folder.tables import results
from bench.metrics.base import MissingConditionError
from bench.metrics.calibration import ece, nll
from bench.metrics.corruption import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERROR,
    CORRUPTIONS,
    SEVERITIES,
    relative_mce,
    severity_accuracy,
)
from bench.metrics.effective import LINES, effective_robustness, gap
from bench.metrics.real import real_accuracy, real_labels
from bench.metrics.shape_bias import cue_accuracy, cues_of, shape_bias
from bench.metrics.subset import accuracy_all
from bench.testing import write_results

NAMES = ("bear", "cat", "dog")


def records(predictions: list[int], labels: list[int], ids: list[str] | None = None) -> pd.DataFrame:
    n = len(labels)
    return pd.DataFrame(
        {
            "image_id": ids or [f"i{k}" for k in range(n)],
            "label": labels,
            "prediction": predictions,
            "scored": [True] * n,
        }
    )


def test_shape_bias_by_hand() -> None:
    ids = ["cat1-dog1", "cat2-dog1", "cat3-dog2", "cat4-bear1", "dog1-dog2", "dog2-cat1"]
    frame = records([1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 2, 2], ids)
    frames = {"cue-conflict/clean": frame}
    bias = shape_bias(NAMES)(frames)
    # decided for shape: cat1-dog1, dog2-cat1; for texture: cat2-dog1, cat3-dog2; dog1-dog2 is no conflict
    assert (bias.value, bias.n) == (0.5, 4)
    assert bias.low == pytest.approx(0.150039, abs=1e-6)  # Wilson, 2 of 4
    assert cue_accuracy("shape", NAMES)(frames).value == pytest.approx(2 / 5)
    assert cue_accuracy("texture", NAMES)(frames).value == pytest.approx(2 / 5)


def test_cues_of_both_releases_and_of_neither() -> None:
    assert cues_of("cat7-dog10", NAMES) == cues_of("0042_cc_dnn_cat_00_cat7-dog10", NAMES) == (1, 2)
    with pytest.raises(MissingConditionError, match="cat7-elephant1"):
        cues_of("IMG_0001", NAMES)


def test_sixteen_way_decision_is_the_mean_probability_not_the_sum_or_the_largest() -> None:
    """A knife (1 class) of probability 0.02 beats dogs (115 classes) that share 0.9."""
    space = label_space("categories16")
    probability = torch.full((1, 1000), 1e-9)
    probability[0, list(CATEGORIES["dog"])] = 0.9 / len(CATEGORIES["dog"])
    probability[0, CATEGORIES["knife"][0]] = 0.02
    answer = space.answer(probability.log())
    assert list(CATEGORIES)[int(answer.argmax())] == "knife"
    means = torch.stack([probability[0, list(m)].mean() for m in space.members]) / probability.sum()
    torch.testing.assert_close(answer[0].exp(), means)


def test_the_answer_among_200_classes_is_their_own_logits() -> None:
    space = label_space("imagenet-a-200")
    logits = torch.randn(4, 1000, generator=torch.Generator().manual_seed(0))
    logits[:, 0] = 100  # tench is not among them
    answer = space.answer(logits)
    assert answer.shape == (4, 200)
    torch.testing.assert_close(answer, logits[:, [m for (m,) in space.members]])


def test_accuracy_among_all_classes_is_of_the_label_s_own_class() -> None:
    frame = records([0, 1, 1], [0, 1, 0])
    frame["prediction_all"] = [6, 999, 6]
    assert accuracy_all([(6,), (11,)])({"a": frame}).value == pytest.approx(2 / 3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=60))
def test_ece_against_a_plain_loop_over_bins(pairs: list[tuple[int, bool]]) -> None:
    confidence = np.array([(c + 0.5) / 1001 for c, _ in pairs])
    right = np.array([hit for _, hit in pairs])
    frame = records([int(hit) for hit in right], [1] * len(pairs))
    frame["confidence"] = confidence
    expected = 0.0
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert ece({"x": frame}).value == pytest.approx(expected, abs=1e-9)


def test_nll_is_torch_s_cross_entropy() -> None:
    from bench.engine.measure import score

    logits = 3 * torch.randn(50, 7, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(50) % 7
    frame = pd.DataFrame({**score(logits, labels), "label": labels.numpy(), "scored": True, "image_id": range(50)})
    expected = torch.nn.functional.cross_entropy(logits, labels)
    assert nll({"x": frame}).value == pytest.approx(float(expected), rel=1e-5)


def _accuracy_frame(hits: int, n: int) -> pd.DataFrame:
    return records([1] * hits + [0] * (n - hits), [1] * n)


def test_effective_robustness_is_zero_on_the_line_and_in_points_off_it() -> None:
    n = 2000
    line = LINES["imagenet-v2"]
    on_line = expit(line.slope * logit(0.75) + line.intercept)
    frames = {"imagenet/clean": _accuracy_frame(1500, n), "imagenet-v2/clean": _accuracy_frame(round(on_line * n), n)}
    metric = effective_robustness("imagenet-v2/clean", "imagenet/clean")
    assert metric(frames).value == pytest.approx(0, abs=0.03)
    frames["imagenet-v2/clean"] = _accuracy_frame(round((on_line + 0.05) * n), n)
    found = metric(frames)
    assert found.value == pytest.approx(5, abs=0.03)
    assert found.low < 5 < found.high
    with pytest.raises(MissingConditionError, match="imagenet-v2/clean"):
        metric({"imagenet/clean": frames["imagenet/clean"]})


@pytest.mark.parametrize(("hits", "standard"), [(0, 0.05), (10, 0.95)])
def test_none_or_all_right_is_taken_for_half_an_image(hits: int, standard: float) -> None:
    frames = {"imagenet/clean": _accuracy_frame(hits, 10), "imagenet-v2/clean": _accuracy_frame(4, 10)}
    line = LINES["imagenet-v2"]
    expected = expit(line.slope * logit(standard) + line.intercept)
    found = effective_robustness("imagenet-v2/clean", "imagenet/clean")(frames)
    assert found.value == pytest.approx(100 * (0.4 - expected), abs=1e-9)


def test_the_line_of_v2_gives_the_published_resnet50() -> None:
    """torchvision's ResNet-50: 76.13 % on ImageNet, 63.21 % on V2 matched-frequency (testbed), a standard model."""
    assert 100 * LINES["imagenet-v2"].expected(0.7613) == pytest.approx(63.2, abs=1)


def test_gap_in_points_with_its_interval() -> None:
    found = gap("far", "near")({"near": _accuracy_frame(8000, 10_000), "far": _accuracy_frame(3000, 10_000)})
    assert found.value == pytest.approx(50)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.sqrt(0.16 + 0.21), rel=1e-3)


def test_a_gaps_interval_is_newcombes() -> None:
    """56 of 70 against 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    found = gap("far", "near")({"near": _accuracy_frame(56, 70), "far": _accuracy_frame(48, 80)})
    assert (found.low, found.high) == (pytest.approx(5.24, abs=0.005), pytest.approx(33.39, abs=0.005))


def test_a_gap_on_a_few_pictures_has_a_width() -> None:
    found = gap("far", "near")({"near": _accuracy_frame(4, 4), "far": _accuracy_frame(0, 4)})
    assert found.value == 100
    assert found.low < 50


def test_a_gap_and_effective_robustness_count_what_has_no_answer() -> None:
    frames = {"imagenet/clean": _accuracy_frame(6, 8), "imagenet-v2/clean": _accuracy_frame(4, 8)}
    frames["imagenet-v2/clean"].loc[7, "scored"] = False
    for metric in (gap, effective_robustness):
        found = metric("imagenet-v2/clean", "imagenet/clean")(frames)
        assert (found.n, found.unscored) == (7, 1)


def test_real_accuracy_by_hand() -> None:
    labels = real_labels()
    assert len(labels) == 50_000
    named = [k for k in range(20) if labels[k]][:3]
    unnamed = next(k for k in range(20) if not labels[k])
    ids = [f"ILSVRC2012_val_{k + 1:08d}" for k in (*named, unnamed)]
    right = [min(labels[k]) for k in named]
    wrong = next(c for c in range(1000) if c not in labels[named[2]])
    found = real_accuracy({"imagenet/clean": records([right[0], right[1], wrong, 0], [0] * 4, ids)})
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)
    with pytest.raises(MissingConditionError, match="original names"):
        real_accuracy({"imagenet/clean": records([0], [0], ["cat"])})


def _imagenet_c(errors: dict[str, float], clean: float, n: int = 1000) -> dict[str, pd.DataFrame]:
    frames = {"imagenet/clean": _accuracy_frame(round((1 - clean) * n), n)}
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            frames[f"imagenet/{name}/{severity}-jpeg85"] = _accuracy_frame(round((1 - errors[name]) * n), n)
    return frames


def test_relative_mce_of_alexnet_itself_is_100_percent() -> None:
    found = relative_mce(_imagenet_c(ALEXNET_ERROR, ALEXNET_CLEAN_ERROR))
    assert found.value == pytest.approx(100, abs=0.3)  # errors of whole images of 1000


def test_relative_mce_needs_the_clean_condition() -> None:
    frames = _imagenet_c(ALEXNET_ERROR, ALEXNET_CLEAN_ERROR, 10)
    del frames["imagenet/clean"]
    with pytest.raises(MissingConditionError, match="1 of 76 conditions missing: clean"):
        relative_mce(frames)


def test_accuracy_at_one_severity() -> None:
    frames = _imagenet_c(dict.fromkeys(CORRUPTIONS, 0.5), 0.2, 10)
    frames["imagenet/fog/3-jpeg85"] = _accuracy_frame(10, 10)
    assert severity_accuracy(3)(frames).value == pytest.approx(0.5 + 0.5 / 15)
    assert severity_accuracy(2)(frames).value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("accuracy", "said"), [(0.5, "50.0 % on imagenet/clean is outside the 56.5 to 84.7 %"), (0.7, "")]
)
def test_a_number_beyond_the_line_s_models_is_said_to_be_one(accuracy: float, said: str, tmp_path: Path) -> None:
    sets = ("imagenet", "imagenet-a", "imagenet-a-clean", "imagenet-r", "imagenet-r-clean", *V2_VARIANTS)
    write_results(tmp_path, "m", {"effective-robustness": {f"{s}/clean": accuracy for s in (*sets, "imagenet-sketch")}})
    table = results(tmp_path)
    lines = [line for line in table.attrs["remarks"] if line.startswith("m, effective_imagenet-v2: ")]
    assert [line.partition(": ")[2].partition(" of the line")[0] for line in lines] == ([said] if said else [])
    assert len(table[table["metric"] == "effective_imagenet-v2"]) == 1
