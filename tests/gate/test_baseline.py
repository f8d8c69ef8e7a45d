"""Accepted numbers on disk: what is written comes back, and what is wrong is refused by name."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.gate.baseline import (
    Baseline,
    RunSpec,
    accepted,
    baseline_files,
    baseline_name,
    read_baseline,
    records_hash,
    write_baseline,
)
from bench.record import Cell, Protocol, digest


def records(right: list[bool], seen: list[bool] | None = None) -> pd.DataFrame:
    labels = np.arange(len(right)) % 7
    return pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(len(right))],
            "label": labels,
            "prediction": np.where(right, labels, labels + 1),
            "scored": seen or [True] * len(right),
        }
    )


def cell(images: int) -> Cell:
    return Cell("m", "f" * 64, {}, Protocol("d", "manifest", images, "l", "d/clean", "none"))


def saved(directory: Path, model: str = "m") -> Path:
    frame = records([True, False, True, True, False, True, True, True, True])
    made = accepted("tiny", cell(9), frame)
    return write_baseline(
        directory, Baseline(model, "f" * 64, {"size": 32}, (RunSpec("tiny", 1, {"limit": 9}),), (made,))
    )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_the_bits_give_back_which_images_were_right(images: list[tuple[bool, bool]]) -> None:
    right, seen = (list(column) for column in zip(*images, strict=True))
    frame = records(right, seen)
    made = accepted("tiny", cell(len(right)), frame)
    back = made.frame(frame)
    was_right = (frame["prediction"] == frame["label"]) & frame["scored"]
    assert (((back["prediction"] == back["label"]) & back["scored"]) == was_right).all()
    assert back["scored"].tolist() == seen
    assert (made.correct, made.scored) == (was_right.sum(), sum(seen))


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    path = saved(tmp_path)
    baseline = read_baseline(path)
    assert baseline.cells[0].correct == 7
    assert baseline.cells[0].protocol == cell(9).protocol
    assert baseline.measures == (RunSpec("tiny", 1, {"limit": 9}),)
    assert path.stat().st_size < 2_000


def test_the_hash_sees_an_answer_and_no_float() -> None:
    frame = records([True, False])
    assert records_hash(frame) == records_hash(frame.assign(confidence=[0.1, 0.2]))
    assert records_hash(frame) != records_hash(records([True, True]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "not a baseline"),
        (lambda text: text.replace('"correct": 7', '"correct": NaN'), "correct must be a int, found nan"),
        (lambda text: text.replace('"correct": 7', '"correct": 8'), "say otherwise than 8 of 9"),
        (lambda text: text.replace('"images": 9', '"images": 90'), "expected 90 bits"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "expected format 1, found 2"),
        (lambda text: text.replace('"labels": "l",', ""), "labels"),
        (lambda text: text.replace('"model": "m"', '"model": "other"'), "belongs into other.json"),
        (lambda _: "[]", "not a baseline"),
        (lambda _: "", "not a baseline"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damage, message: str) -> None:
    path = saved(tmp_path)
    path.write_text(damage(path.read_text("utf-8")))
    with pytest.raises(StoreError, match=message) as error:
        read_baseline(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["tiny_mbn@adv", "timm:a/b", "../<script>\"'", "模型", "x" * 200, "x" * 199 + "y"])
def test_any_name_has_a_file_of_its_own(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, name)
    assert read_baseline(path).model == name
    assert list(baseline_files(tmp_path)) == [path]
    assert baseline_name("x" * 200) != baseline_name("x" * 199 + "y")
    assert baseline_name("x" * 200) == f"{'x' * 120}-{digest('x' * 200, 8)}.json", "as in folders of older versions"


def test_unfinished_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / ".tmp123.json").write_text("{")
    assert list(baseline_files(tmp_path)) == []


def test_the_file_is_json_that_people_can_diff(tmp_path: Path) -> None:
    text = saved(tmp_path).read_text("utf-8")
    assert json.loads(text)["cells"][0]["correct"] == 7
    assert text.count("\n") > 20
