"""Write the table and the contact sheets of docs/tiny.md: `python -m tools.tiny_page [--sheets]`.

The part of the page between its two markers is replaced; the rest is written by hand.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bench.datasets import tiny
from bench.rounding import decimal, with_interval
from model_zoo.registry import cards
from model_zoo.reported import ReportedNumber
from tools.pages import between

PAGE = Path(__file__).parents[1] / "docs" / "tiny.md"
BEGIN = "<!-- generated: table -->"

COLUMNS = {
    "clean": ("tiny-pgd", "clean_accuracy"),
    "PGD-20": ("tiny-pgd", "robust_accuracy"),
    "corruption error": ("tiny-c", "mean_error"),
    "A": ("tiny-a", "accuracy"),
    "stylised": ("tiny-stylized", "accuracy"),
    "shape bias": ("tiny-cue-conflict", "shape_bias"),
}
"""Suite and metric of each column; `tools.publish` writes these numbers to the cards."""


def model_table() -> Iterator[str]:
    """Yield one row per model and branch with the card's numbers and their intervals; the header states n."""
    found: dict[tuple[str, str, str], ReportedNumber] = {
        (f"{card.name}@{number.branch}" if number.branch else card.name, number.suite, number.metric): number
        for card in cards().values()
        for number in card.reported
        if number.suite
    }
    sizes = {
        title: sorted({number.n for (_, *key), number in found.items() if tuple(key) == wanted})
        for title, wanted in COLUMNS.items()
    }
    yield "| model | " + " | ".join(f"{title} (n {_range(sizes[title])})" for title in COLUMNS) + " |"
    yield "|---|" + "---:|" * len(COLUMNS)
    for model in sorted({model for model, *_ in found}):
        cells = [_cell(found[model, *key]) if (model, *key) in found else "" for key in COLUMNS.values()]
        yield f"| `{model}` | " + " | ".join(cells) + " |"


def _range(sizes: Sequence[int]) -> str:
    return "" if not sizes else f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}..{sizes[-1]}"


def _cell(number: ReportedNumber) -> str:
    if number.low is None or number.high is None:
        return decimal(number.value)
    return with_interval(number.value, number.low, number.high)


def whole() -> str:
    """Return the page with its table renewed."""
    return between(PAGE.read_text(encoding="utf-8"), BEGIN, model_table())


def contact_sheet(split: str, each: int = 16, zoom: int = 2) -> Image.Image:
    """Return an image with one row per class and `each` images in a row, enlarged `zoom` times."""
    batch = tiny.generate(split, min(600, len(tiny.chosen())))
    rows = [np.concatenate(list(batch.images[batch.labels == c][:each]), axis=1) for c in range(len(tiny.CLASSES))]
    sheet = Image.fromarray(np.concatenate(rows))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)


def main() -> None:
    """Write the table from the cards; with `--sheets`, also draw the contact sheets."""
    parser = argparse.ArgumentParser(prog="python -m tools.tiny_page", description=__doc__)
    parser.add_argument("--sheets", action="store_true", help="draw the contact sheets, too")
    asked = parser.parse_args()
    PAGE.write_text(whole(), encoding="utf-8")
    for split in ("val", "a", "stylised", "cue-conflict") if asked.sheets else ():
        contact_sheet(split).save(PAGE.parent / "images" / f"tiny-{split}.png", optimize=True)


if __name__ == "__main__":
    main()
