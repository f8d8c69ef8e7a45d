"""`bench figures`: every figure that a results folder can give, as PNG and PDF."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import IncompleteError
from bench.reports.corruption_figures import heat_map
from bench.reports.tables import results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = Callable[[str], Iterator[tuple[str, "Figure"]]]
"""From a results folder to file names (without suffix) and figures."""

FORMATS = ("png", "pdf")


def heat_maps(directory: str) -> Iterator[tuple[str, "Figure"]]:
    """Error by corruption and severity, of every model and suite that has corrupted conditions."""
    frame = results(directory)
    for model, suite in frame[["model", "suite"]].drop_duplicates().itertuples(index=False):
        try:
            yield f"corruptions-{suite}-{model}", heat_map(frame, model, suite)
        except IncompleteError:
            continue


FIGURES: tuple[Figures, ...] = (heat_maps,)
"""Adding a figure: write its function and name it here."""


def write_figures(directory: str, out: Path) -> list[Path]:
    """Draw all figures of the results folder into `out`; returns the files.

    Raises `IncompleteError` where there is nothing to draw.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for draw in FIGURES:
        for name, figure in draw(directory):
            for suffix in FORMATS:
                written.append(out / f"{name.replace('/', '_')}.{suffix}")
                figure.savefig(written[-1], dpi=150)
    if not written:
        raise IncompleteError(f"{directory}: nothing here to draw; `bench results {directory}` shows what there is")
    return written
