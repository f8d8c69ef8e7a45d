"""Generator of the cards' rows in results/published.csv: `python -m tools.published`. Other rows are unchanged."""

from pathlib import Path

from bench.published.table import of_card, published_table, write_rows
from model_zoo.registry import cards

PAGE = Path(__file__).parents[1] / "results" / "published.csv"


def table() -> str:
    """Return the file's text: rows edited by hand first, then each card's, by name."""
    others = [row for row in published_table() if not row.card]
    return write_rows([*others, *(row for card in cards().values() for row in of_card(card))])


if __name__ == "__main__":
    PAGE.write_text(table(), encoding="utf-8")
