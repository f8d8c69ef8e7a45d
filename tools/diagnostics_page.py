"""Write the generated part of docs/diagnostics.md from results/diagnostics.json: `python -m tools.diagnostics_page`.

What is measured is written by `tools.diagnostics_measure`, with the fingerprints of the models that it was measured on.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "diagnostics.md"
MEASURED = ROOT / "results" / "diagnostics.json"
BEGIN, END = "<!-- generated: diagnostics -->", "<!-- end -->"

Table = dict[str, list[Any]]
"""`columns`, their names, and `rows`, each a list of a value a column."""

Block = str | Table
"""What stands in the page in one piece: lines of Markdown, or a table."""


def write(models: Mapping[str, str], blocks: Iterable[Block]) -> None:
    """Keep what was measured, and the fingerprint of each model by name."""
    text = json.dumps({"models": dict(models), "blocks": list(blocks)}, indent=1, ensure_ascii=False)
    MEASURED.write_text(text + "\n", encoding="utf-8")


def measured() -> tuple[dict[str, str], list[Block]]:
    """Fingerprints by model, and the blocks in their order."""
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found["models"], found["blocks"]


def lines(blocks: Iterable[Block]) -> Iterator[str]:
    """The blocks as Markdown; numbers to four digits."""
    for block in blocks:
        yield from [block] if isinstance(block, str) else _rows(block)


def _rows(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(table["columns"]) + " |"
    yield "|" + "---|" * len(table["columns"])
    for row in table["rows"]:
        yield "| " + " | ".join(f"{x:.4g}" if isinstance(x, float) else str(x) for x in row) + " |"


def page(text: str) -> str:
    """`text` with what stands between its marks written anew."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n" + "\n".join(lines(measured()[1])) + f"\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
