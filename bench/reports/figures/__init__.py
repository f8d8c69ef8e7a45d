"""The papers' comparison figures, redrawn from a results folder; one file a paper.

Adding a figure: write its function in its paper's file and name it in that file's `FIGURES`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import IncompleteError
from bench.reports import style
from bench.reports.corruption_figures import heat_map
from bench.reports.figures import advprop, intriguing, nofrost, sat
from bench.reports.figures.base import FigureSpec, NotMeasuredError
from bench.reports.measured import Numbers

FIGURES: tuple[FigureSpec, ...] = tuple(spec for paper in (intriguing, sat, advprop, nofrost) for spec in paper.FIGURES)


@dataclass(frozen=True)
class Written:
    """The files, and what could not be drawn with the command that makes its measurements."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]


def write_figures(directory: str, out: Path) -> Written:
    """Draw all figures of the results folder into `out`, as PNG, SVG and PDF.

    Raises `IncompleteError` where the folder holds nothing that any figure shows.
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
        files += _heat_maps(data, out)
    return Written(tuple(files), tuple(missing))


def _heat_maps(data: Numbers, out: Path) -> Iterator[Path]:
    """Error by corruption and severity, of every model and suite that has corrupted conditions."""
    for model, suite in data.frame[["model", "suite"]].drop_duplicates().itertuples(index=False):
        try:
            figure = heat_map(data.frame, model, suite)
        except IncompleteError:
            continue
        yield from style.save(figure, out / f"corruptions-{suite}-{model}".replace("/", "_"))
