"""The papers' figures on a page of the site: images and their data."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.board.site.findings import drawn_picture
from bench.figures import FIGURES, style
from bench.figures.base import FigureSpec, NotMeasuredError
from bench.figures.measured import Numbers
from bench.figures.shown import FigureMark, is_measured, marks, take_caption
from bench.folder.survey import Survey

MOST = 400
"""Maximum rows of a figure's data in the page."""


@dataclass(frozen=True)
class PaperFigure:
    """One figure: its image as WebP, its width on paper in inches, its caption, its marks (`more` are left out), and
    the commands that measure and draw it."""

    spec: FigureSpec
    data: bytes
    inches: float
    caption: str
    marks: list[FigureMark]
    more: int
    left_out: list[str]
    measure: str
    draw: str


@dataclass(frozen=True)
class PaperFigures:
    """The figures that a results folder allows, and for the others the commands that measure them."""

    drawn: list[PaperFigure]
    others: list[tuple[FigureSpec, str]]


def paper_figures(found: Survey, directory: str) -> PaperFigures:
    """Draw every figure with all panels measured. `directory` is the folder's name in commands."""
    data = Numbers(found.folder.store.address, read=(found.folder, found.table))
    with style.styled():
        made = {spec.name: figure for spec in FIGURES for figure in _drawn(spec, data, directory)}
    others = [(spec, spec.to_measure(directory)) for spec in FIGURES if spec.name not in made]
    return PaperFigures(list(made.values()), others)


def _drawn(spec: FigureSpec, data: Numbers, directory: str) -> Iterator[PaperFigure]:
    """Return the figure or None; without a model that has its traits it is not tried."""
    if not spec.command or not data.told(spec.needs):
        return
    data.passed_over.clear()
    try:
        figure = spec.draw(spec, data)
    except NotMeasuredError:
        return
    if not is_measured(figure):
        return
    caption, rows = take_caption(figure), marks(figure)
    left_out = list(dict.fromkeys([*data.silent(spec.needs), *data.passed_over]))
    draw = f"bench figures {directory} --only {spec.name} --out figures"
    yield PaperFigure(
        spec,
        drawn_picture(figure),
        round(float(figure.get_figwidth()), 1),
        caption,
        rows[:MOST],
        max(0, len(rows) - MOST),
        left_out,
        spec.to_measure(directory),
        draw,
    )
