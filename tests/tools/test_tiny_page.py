"""The tiny world's page: a row a model with intervals, sheets of the right images."""

import numpy as np

from bench.datasets import tiny
from bench.rounding import decimal
from model_zoo.registry import cards
from tools.tiny_page import PAGE, contact_sheet, model_table, whole


def test_each_branch_has_its_card_s_numbers_and_the_header_says_n() -> None:
    head, _, *rows = model_table()
    assert "clean (n 2000) | PGD-20 (n 2000)" in head
    (line,) = (row for row in rows if row.startswith("| `tiny_mbn@adv` |"))
    card = cards()["tiny_mbn"]
    (number,) = (n for n in card.reported if (n.suite, n.metric, n.branch) == ("tiny-pgd", "robust_accuracy", "adv"))
    assert f"| {decimal(number.value)} [{number.low}, {number.high}] |" in line
    assert len(rows) == sum(max(1, len(card.branches)) for card in cards().values() if card.room == "tiny")


def test_a_sheet_has_a_row_a_class_of_that_class_s_pictures() -> None:
    sheet = np.asarray(contact_sheet("stylised", each=3, zoom=1))
    assert sheet.shape == (320, 96, 3)
    batch = tiny.generate("stylised", 60)
    first = batch.images[batch.labels == 4][0]
    assert np.array_equal(sheet[4 * 32 : 5 * 32, :32], first)


def test_the_page_is_what_the_cards_say() -> None:
    """Next where it fails: `make docs`."""
    assert PAGE.read_text(encoding="utf-8") == whole()
