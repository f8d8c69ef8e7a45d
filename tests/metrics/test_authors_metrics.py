"""Metrics of further sets against what their authors' own code printed for the same made-up records."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bench.metrics.anomaly import anomalies, roc_area
from bench.metrics.base import MissingConditionError
from bench.metrics.calibration import aurra, rms_calibration
from bench.metrics.consistency import error_consistency
from bench.metrics.several import any_label_accuracy
from bench.metrics.shortcut import CARTON, accuracy_gap


def frame(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> pd.DataFrame:
    n = len(confidence)
    ids = [f"i{k}" for k in range(n)]
    prediction = np.where(right, 0, 1)
    return pd.DataFrame(
        {"image_id": ids, "label": np.zeros(n, int), "prediction": prediction, "scored": True, "confidence": confidence}
    )


# n: RMS calibration error and AURRA, by hendrycks/natural-adv-examples calibration_tools.py on these records
PRINTED = {
    200: (0.08122311442640233, 0.7098461830267091),
    250: (0.06841031789361633, 0.6405991815053301),
    1234: (0.1285146726047082, 0.6927162404078188),
    7500: (0.12221538352734862, 0.6738895768916902),
}


@pytest.mark.parametrize("n", PRINTED)
def test_rms_calibration_and_aurra_are_what_imagenet_as_authors_print(n: int) -> None:
    rng = np.random.default_rng(n)
    confidence = np.round(rng.uniform(0.05, 1, n), 6)
    frames = {"a": frame(confidence, rng.uniform(size=n) < confidence**1.5)}
    rms, area = rms_calibration(frames), aurra(frames)
    assert rms.value == pytest.approx(PRINTED[n][0], abs=1e-12)
    assert area.value == pytest.approx(PRINTED[n][1], abs=2e-6)  # equal confidences stand in no order in NumPy's sort
    assert rms.low < rms.high
    assert area.low < area.value < area.high


def test_rms_calibration_of_few_images_is_no_zero() -> None:
    """The authors' code leaves its last bin out: of 199 images there is no other."""
    with pytest.raises(MissingConditionError, match="200 images or more, found 199"):
        rms_calibration({"a": frame(np.linspace(0, 1, 199), np.ones(199, bool))})


@pytest.mark.parametrize(
    ("decimals", "aupr", "auroc"),
    [(16, 0.6465038304307763, 0.8280633333333334), (1, 0.5953004125089686, 0.8250283333333334)],
)
def test_aupr_and_auroc_are_scikit_learns(decimals: int, aupr: float, auroc: float) -> None:
    """average_precision_score and roc_auc_score of scikit-learn, as calibration_tools.get_measures calls them; ties at
    one decimal."""
    rng = np.random.default_rng(5)
    out, inside = np.round(rng.beta(2, 3, 300), decimals), np.round(rng.beta(4, 2, 1000), decimals)
    frames = {"o": frame(out, out > 2), "i": frame(inside, inside > 0)}
    assert anomalies("o", "i")(frames).value == pytest.approx(aupr, abs=1e-12)
    assert anomalies("o", "i", roc_area)(frames).value == pytest.approx(auroc, abs=1e-12)


def test_a_set_that_was_not_measured_is_named() -> None:
    with pytest.raises(MissingConditionError, match="i was not measured"):
        anomalies("o", "i")({"o": frame(np.ones(3), np.ones(3, bool))})


def test_a_set_without_a_scored_image_has_no_area() -> None:
    whole, empty = frame(np.ones(3), np.ones(3, bool)), frame(np.ones(3), np.ones(3, bool)).assign(scored=False)
    for frames in ({"o": whole, "i": empty}, {"o": empty, "i": whole}):
        with pytest.raises(MissingConditionError, match="no image was scored in one of the two sets"):
            anomalies("o", "i")(frames)


def test_error_consistency_is_model_vs_humans() -> None:
    """ErrorConsistency().analysis of bethgelab/model-vs-human on the same 500 decisions: 0.526, 0.546, 0.0415."""
    rng = np.random.default_rng(7)
    label = rng.integers(0, 16, 500)
    answers = [
        np.where(rng.uniform(size=500) < share, label, (label + shift) % 16) for share, shift in ((0.7, 1), (0.55, 2))
    ]
    ids = [f"cat{i}-dog{i}" for i in range(500)]
    a, b = (pd.DataFrame({"image_id": ids, "prediction": p, "label": label, "scored": True}) for p in answers)
    found = error_consistency(a, b)
    assert found.kappa == pytest.approx(0.04154703597365317, abs=1e-12)
    assert (found.observed, found.n) == (0.546, 500)
    assert found.expected == pytest.approx(0.52632)
    assert error_consistency(a, a).kappa == 1.0
    none = error_consistency(a, b.assign(scored=False))
    assert (none.n, np.isnan([none.kappa, none.observed, none.expected]).all()) == (0, True)
    shuffled = b.sample(frac=1, random_state=0)
    assert error_consistency(a, shuffled).kappa == found.kappa


def test_one_of_several_labels_is_right() -> None:
    ids = ["0-1+2", "1-3", "2-10+11+12"]
    records = pd.DataFrame({"image_id": ids, "label": [1, 3, 10], "prediction": [2, 4, 12], "scored": True})
    found = any_label_accuracy({"h": records})
    assert (found.value, found.n) == (2 / 3, 3)
    with pytest.raises(MissingConditionError, match="do not end with their labels"):
        any_label_accuracy({"h": records.assign(image_id=["a", "b", "c"])})


def test_the_watermarks_gaps() -> None:
    """in_w_gap and carton_gap of Whac-A-Mole by hand: 1 of 4 right against 3 of 4, cartons 1 of 1 against 0 of 1."""
    base = {"image_id": list("abcd"), "label": [1, 2, 3, CARTON], "scored": True}
    plain = pd.DataFrame(base | {"prediction": [1, 2, 3, 5]})
    marked = pd.DataFrame(base | {"prediction": [CARTON, CARTON, CARTON, CARTON]})
    frames = {"m": marked, "p": plain}
    assert accuracy_gap("m", "p")(frames).value == -50
    assert accuracy_gap("m", "p", CARTON)(frames).value == 100
