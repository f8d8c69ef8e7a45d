"""The worst case over norms, and MultiRobustBench's ratios."""

import pandas as pd
import pytest

from bench.metrics.base import MissingConditionError
from bench.metrics.union import average_accuracy, competitiveness, union_accuracy, worst_accuracy

IDS = [f"image{i}" for i in range(4)]


def frame(right: str, scored: str = "1111") -> pd.DataFrame:
    hits = [letter == "1" for letter in right]
    return pd.DataFrame(
        {
            "image_id": IDS,
            "label": [0] * 4,
            "prediction": [0 if hit else 1 for hit in hits],
            "scored": [letter == "1" for letter in scored],
        }
    )


FRAMES = {
    "tiny/clean": frame("1111"),
    "tiny/autoattack-linf-eps4_255-standard": frame("1110"),
    "tiny/autoattack-l2-eps0.5-standard": frame("0110"),
    "tiny/autoattack-l1-eps12-standard": frame("0011"),
}


def test_an_image_counts_that_stands_against_all() -> None:
    union = union_accuracy(FRAMES)
    assert (union.value, union.n, union.unscored) == (0.25, 4, 0)
    assert average_accuracy(FRAMES).value == pytest.approx((3 + 2 + 2) / 12)
    assert worst_accuracy(FRAMES).value == 0.5


def test_an_image_that_one_attack_could_not_score_is_left_out() -> None:
    frames = FRAMES | {"tiny/autoattack-l1-eps12-standard": frame("0011", scored="1101")}
    union = union_accuracy(frames)
    assert (union.value, union.n, union.unscored) == (0.0, 3, 1)


def test_a_missing_norm_is_an_error() -> None:
    with pytest.raises(MissingConditionError, match="l1"):
        union_accuracy({name: own for name, own in FRAMES.items() if "-l1-" not in name})


def test_competitiveness_ratios_by_hand() -> None:
    """As `CR_ind_avg` and `CR_ind_worst` of MultiRobustBench's `metrics.py`, which take clean accuracy for one more."""
    best = {"clean": 94.0, "linf": 57.5, "l2": 65.0, "l1": 52.0}
    average, worst = competitiveness({"clean": 84.6, "linf": 46.0, "l2": 58.5, "l1": 10.4}, best)
    assert average == pytest.approx((90 + 80 + 90 + 20) / 4)
    assert worst == pytest.approx(20)
    with pytest.raises(MissingConditionError, match="stadv"):
        competitiveness({"stadv": 3.0}, best)
