"""`bench.records`: small types, nothing lost, and what was not scored is not counted as wrong."""

from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.testing import write_results

PGD = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder: Path = tmp_path_factory.mktemp("records")
    write_results(folder, "b", {"pgd": {"imagenet/clean": 0.75, PGD: 0.25}}, n=40, seed=1)
    write_results(folder, "a", {"imagenet": {"imagenet/clean": float("nan")}}, n=40)
    return bench.records(folder)


def test_texts_are_categories_and_classes_may_be_missing(records: pd.DataFrame) -> None:
    kinds = {name: str(kind) for name, kind in records.dtypes.items()}
    texts = ("model", "suite", "condition", "protocol", "image_id", "reason")
    assert kinds == {
        **dict.fromkeys(texts, "category"),
        **dict.fromkeys(("label", "prediction"), "Int32"),
        **dict.fromkeys(("confidence", "margin"), "float32"),
        "scored": "bool",
    }
    assert len(records) == 3 * 40
    assert records.memory_usage(deep=True).sum() < 40 * len(records) + 20_000


def test_what_was_not_scored_is_neither_right_nor_wrong(records: pd.DataFrame) -> None:
    unread = records[records["model"] == "a"]
    assert unread["prediction"].isna().all()
    assert not unread["scored"].any()
    right = records["prediction"] == records["label"]
    found = right.groupby([records["model"], records["condition"]], observed=True).mean()
    assert found["b", "imagenet/clean"] == 0.75
    assert found["b", PGD] == 0.25
    assert pd.isna(found["a", "imagenet/clean"])


def test_rows_sort_as_texts_do(records: pd.DataFrame) -> None:
    ordered = records.sort_values(["model", "condition", "image_id"])
    keys = list(zip(ordered["model"], ordered["condition"], ordered["image_id"], strict=True))
    assert keys == sorted(keys)
    assert keys[0][0] == "a"
