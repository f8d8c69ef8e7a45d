"""The tiny world's page: a row a model with intervals, sheets of the right pictures."""

import numpy as np
import pandas as pd

from bench.datasets import tiny
from model_zoo.registry import ROOT
from tools.tiny_page import BEGIN, END, PAGE, contact_sheet, model_table


def row(model: str, suite: str, metric: str, n: int) -> dict[str, object]:
    return {
        "model": model,
        "suite": suite,
        "condition": "all",
        "metric": metric,
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "n": n,
    }


def test_each_model_has_its_headlines_and_the_header_says_n() -> None:
    frame = pd.DataFrame(
        [
            row("tiny_at", "tiny", "accuracy", 2000),
            row("tiny_at", "tiny-pgd", "robust_accuracy", 2000),
            row("tiny_std", "tiny", "accuracy", 600),
            {**row("tiny_std", "tiny", "accuracy", 9), "condition": "tiny/clean"},
        ]
    )
    head, _, at, std = model_table(frame)
    assert "clean (n 600..2000) | PGD-20 (n 2000)" in head
    assert at.startswith("| `tiny_at` | 50.0 [40.0, 60.0] | 50.0 [40.0, 60.0] |")
    assert std.startswith("| `tiny_std` | 50.0 [40.0, 60.0] |  |")


def test_a_sheet_has_a_row_a_class_of_that_class_s_pictures() -> None:
    sheet = np.asarray(contact_sheet("stylised", each=3, zoom=1))
    assert sheet.shape == (320, 96, 3)
    batch = tiny.generate("stylised", 60)
    first = batch.images[batch.labels == 4][0]
    assert np.array_equal(sheet[4 * 32 : 5 * 32, :32], first)


def test_the_page_has_a_place_for_the_table() -> None:
    text = (ROOT.parent / PAGE).read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
