"""Write the generated part of docs/diagnostics.md from results/diagnostics.json: `python -m tools.diagnostics_page`.

`tools.diagnostics_measure` writes the measurements, with the fingerprints of the measured models.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.rounding import decimal
from tools.pages import between

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "diagnostics.md"
MEASURED = ROOT / "results" / "diagnostics.json"
BEGIN = "<!-- generated: diagnostics -->"

Table = dict[str, list[Any]]
"""`columns`: their names; `rows`: lists with one value per column."""

Block = str | Table
"""A part of the page: lines of Markdown, or a table."""


def write(models: Mapping[str, str], blocks: Iterable[Block]) -> None:
    """Write the measurements, and each model's fingerprint by name."""
    text = json.dumps({"models": dict(models), "blocks": list(blocks)}, indent=1, ensure_ascii=False)
    MEASURED.write_text(text + "\n", encoding="utf-8")


def measured() -> tuple[dict[str, str], list[Block]]:
    """Return fingerprints by model, and the blocks in order."""
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found["models"], found["blocks"]


def lines(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield the blocks as Markdown; numbers have four digits."""
    for block in blocks:
        yield from [block] if isinstance(block, str) else _rows(block)


def _rows(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(table["columns"]) + " |"
    yield "|" + "---|" * len(table["columns"])
    for row in table["rows"]:
        yield "| " + " | ".join(decimal(x, ".4g") if isinstance(x, float) else str(x) for x in row) + " |"


def page(text: str) -> str:
    """Return `text` with the part between its markers renewed."""
    return between(text, BEGIN, lines(measured()[1]))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
