"""Write the table and the contact sheets of docs/tiny.md: `python -m tools.tiny_page RESULTS`.

What stands in the page between its two markers is replaced; everything else is written by hand.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bench.datasets import tiny
from bench.folder.tables import results
from tools.claims import put

PAGE = Path("docs/tiny.md")
BEGIN, END = "<!-- generated: table -->", "<!-- end -->"

COLUMNS = {
    "clean": ("tiny", "accuracy"),
    "PGD-20": ("tiny-pgd", "robust_accuracy"),
    "corruption error": ("tiny-c", "mean_error"),
    "A": ("tiny-a", "accuracy"),
    "stylised": ("tiny-stylized", "accuracy"),
    "shape bias": ("tiny-cue-conflict", "shape_bias"),
}


def model_table(frame: pd.DataFrame) -> Iterator[str]:
    """One line a model: each suite's headline in percent with its interval; the header says n."""
    rows = frame[frame["condition"] == "all"].to_dict("records")
    found = {(row["model"], row["suite"], row["metric"]): row for row in rows}
    sizes = {
        title: sorted({row["n"] for (_, *key), row in found.items() if tuple(key) == wanted})
        for title, wanted in COLUMNS.items()
    }
    yield "| model | " + " | ".join(f"{title} (n {_range(sizes[title])})" for title in COLUMNS) + " |"
    yield "|---|" + "---:|" * len(COLUMNS)
    for model in sorted(set(frame["model"])):
        cells = [_cell(found[model, *key]) if (model, *key) in found else "" for key in COLUMNS.values()]
        yield f"| `{model}` | " + " | ".join(cells) + " |"


def _range(sizes: Sequence[int]) -> str:
    return "" if not sizes else f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}..{sizes[-1]}"


def _cell(row: Mapping[Any, Any]) -> str:
    return f"{100 * row['value']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def contact_sheet(split: str, each: int = 16, zoom: int = 2) -> Image.Image:
    """A row a class, `each` pictures in it."""
    batch = tiny.generate(split, min(600, len(tiny.chosen())))
    rows = [np.concatenate(list(batch.images[batch.labels == c][:each]), axis=1) for c in range(len(tiny.CLASSES))]
    sheet = Image.fromarray(np.concatenate(rows))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)


def main() -> None:
    """Replace the generated part of the page; draw the sheets again."""
    parser = argparse.ArgumentParser(prog="python -m tools.tiny_page", description=__doc__)
    parser.add_argument("results", type=Path, help="results folder with the tiny suites")
    folder = parser.parse_args().results
    put(PAGE, BEGIN, END, list(model_table(results(folder))))
    for split in ("val", "a", "stylised", "cue-conflict"):
        contact_sheet(split).save(PAGE.parent / "images" / f"tiny-{split}.png", optimize=True)


if __name__ == "__main__":
    main()
