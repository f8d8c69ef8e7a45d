"""Answers in another order than the labels are told by their sameness within a label."""

import re

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from bench.metrics.order import other_order
from bench.metrics.repeated import repeated

LABELS = np.repeat(np.arange(20), 5)
NOISE = np.random.default_rng(0)


def records(label: NDArray[np.int64], prediction: NDArray[np.int64]) -> pa.Table:
    return pa.table({"label": label, "prediction": prediction, "scored": np.ones(len(label), bool)})


def noisy(answer: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    return np.where(NOISE.random(len(answer)) < share, NOISE.integers(0, 20, len(answer)), answer)


@pytest.mark.parametrize(("prediction", "says"), [
    (LABELS + 1, r"^0% of the images have their label, though 100% have the one at \+1 \(a background class\?\)"),
    (noisy((LABELS * 7 + 3) % 20, 0.15), "the same answer: the model's classes are probably in another order"),
    (np.array([0, 1, 10, 11, *range(2, 10), *range(12, 20)])[LABELS], "another order"),  # as text against as numbers
])  # fmt: skip
def test_another_order_is_told(prediction: NDArray[np.int64], says: str) -> None:
    found = other_order(records(LABELS, prediction))
    assert re.search(says, found), found


@pytest.mark.parametrize("prediction", [
    LABELS, noisy(LABELS, 0.3), noisy(LABELS, 0.7), noisy(LABELS, 1.0),  # good, fair, poor, random
    LABELS // 4 * 4,  # one class for four
    np.where(LABELS % 3 == 0, LABELS ^ 1, LABELS),  # a third of the classes confused
])  # fmt: skip
def test_a_poor_model_is_no_other_order(prediction: NDArray[np.int64]) -> None:
    assert other_order(records(LABELS, prediction)) == ""


def test_one_answer_for_all_is_told() -> None:
    """Sorted logits are always of class 0."""
    assert other_order(records(LABELS, 0 * LABELS)).startswith("all 100 images get one answer, 0: ")


def test_one_image_of_a_label_tells_nothing() -> None:
    assert other_order(records(np.arange(100), np.arange(100)[::-1])) == ""
    assert "at -1" in other_order(records(np.arange(1, 101), np.arange(100)))
    assert other_order(records(LABELS[:19], LABELS[:19] + 1)) == ""
    assert other_order(records(LABELS[:0], LABELS[:0])) == ""


def test_images_with_the_content_of_others_are_counted() -> None:
    content = [f"{i:03d}" for i in range(98)] + ["000", "001"]
    table = records(LABELS, LABELS).append_column("content", pa.array(content))
    table = table.append_column("image_id", pa.array([f"image{i}" for i in range(100)]))
    assert repeated(table) == 0  # the same pictures with other labels
    same = table.set_column(0, "label", pa.array(np.zeros(100, int)))
    assert repeated(same) == 2
    assert repeated(same.slice(0, 98)) == 0
    films = same.set_column(
        same.column_names.index("image_id"), "image_id", pa.array([f"film#{i}" for i in range(100)])
    )
    assert repeated(films) == 0
