"""The papers' comparison figures, redrawn from a results folder; one file a paper.

Adding a figure: write its function in its paper's file and name it in that file's `FIGURES`.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pandas as pd

from bench.errors import IncompleteError
from bench.figures import advprop, intriguing, nofrost, sat, style
from bench.figures.base import FigureSpec, NotMeasuredError
from bench.figures.corruptions import heat_map
from bench.figures.measured import Numbers
from bench.suites.diagnostics import SUITES as DIAGNOSTICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: tuple[FigureSpec, ...] = tuple(spec for paper in (intriguing, sat, advprop, nofrost) for spec in paper.FIGURES)


@dataclass(frozen=True)
class Written:
    """The files, and what could not be drawn with the command that makes its measurements."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]


def write_figures(directory: str, out: Path) -> Written:
    """Draw all figures of the results folder into `out`, as PNG, SVG and PDF.

    Raises `StoreError` where there are no results.
    """
    out.mkdir(parents=True, exist_ok=True)
    data = Numbers(directory)
    files: list[Path] = []
    missing: list[str] = []
    with style.styled():
        for spec in FIGURES:
            try:
                files += style.save(spec.draw(spec, data), out / spec.name)
            except NotMeasuredError as error:
                missing.append(str(error))
        for name, figure in heat_maps(data.frame).items():
            files += style.save(figure, out / name)
    return Written(tuple(files), tuple(missing))


def heat_maps(frame: pd.DataFrame) -> dict[str, "Figure"]:
    """Error by corruption and severity, by file name, of every model and suite that has corrupted conditions.

    Diagnostics look at one severity, among other things: nothing to draw a map of.
    """
    found = {}
    own = frame[~frame["suite"].isin([suite.name for suite in DIAGNOSTICS])]
    for model, suite in own[["model", "suite"]].drop_duplicates().itertuples(index=False):
        with contextlib.suppress(IncompleteError):
            found[f"corruptions-{suite}-{quote(model, safe='@')}"] = heat_map(frame, model, suite)
    return found
