"""Generator of the list of figures in docs/figures.md: `python -m tools.figures_page`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from bench.figures import FIGURES, style
from bench.figures.base import FigureSpec, NotMeasuredError
from bench.figures.measured import Numbers
from bench.testing import write_results
from tools.pages import END, between

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = Path(__file__).parents[1] / "docs" / "figures.md"
BEGIN = "<!-- generated: figures -->"
HEADER = ("figure", "shows", "follows", "published points", "required traits", "measured by")


def table(counts: Mapping[str, str]) -> str:
    """Return the table, one row per figure: file, content, the paper's figure, number of published numbers (`counts`),
    traits that a model must state, and the run that measures it on the tiny models."""
    lines = [f"| {' | '.join(HEADER)} |", "|" + "---|" * len(HEADER)]
    for spec in FIGURES:
        command = f"`{spec.to_measure('DIR')}`" if spec.command else "needs no data"
        needs = ", ".join(f"`{field}`" for field in spec.needs) or "none"
        told = [f"`{spec.name}`", spec.title, spec.follows, counts[spec.name], needs, command]
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def drawn_counts() -> dict[str, str]:
    """Return `published` of every figure, drawn without measurements."""
    with tempfile.TemporaryDirectory() as folder, style.styled():
        write_results(folder, "somebody", {"imagenet": {"imagenet/clean": 0.5}})
        data = Numbers(folder)
        return {spec.name: _drawn(spec, data) for spec in FIGURES}


def _drawn(spec: FigureSpec, data: Numbers) -> str:
    try:
        return published(spec.draw(spec, data))
    except NotMeasuredError:
        return "0"


def written_counts(text: str) -> dict[str, str]:
    """Return the counts in the page."""
    rows = [line.split(" | ") for line in text.partition(BEGIN)[2].partition(END)[0].splitlines()]
    return {row[0].strip("| `"): row[3] for row in rows if len(row) == len(HEADER)}


def published(figure: "Figure") -> str:
    """Return how many published numbers the figure draws, and how they were read."""
    count = sum(hollow(axes) for axes in figure.axes)
    caption = " ".join(figure.get_supxlabel().split()).partition("Published:")[2]
    read = [word for word in ("printed", "by pixel", "by eye") if word in caption]
    return f"{count} ({', '.join(read)})" if read and count else str(count)


def hollow(axes: "Axes") -> int:
    """Count the hollow marks and bars, which show published numbers."""
    lines = [line for line in axes.get_lines() if line.get_marker() not in ("", "None", None)]
    marks = sum(np.size(line.get_ydata()) for line in lines if line.get_markerfacecolor() == "white")
    return marks + sum(1 for bar in axes.patches if bar.get_hatch() and to_rgb(bar.get_facecolor()) == (1, 1, 1))


def with_table(text: str, counts: Mapping[str, str]) -> str:
    """Return `text` with the part between its two markers replaced."""
    return between(text, BEGIN, [table(counts)])


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), drawn_counts()), encoding="utf-8")
