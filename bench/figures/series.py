"""Measured and published numbers in one figure: panels side by side, series, bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.base import FigureSpec
from bench.figures.measured import Column, Numbers
from bench.rounding import decimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHORT = 24
"""Longest label, in characters, with which a panel's legend has room for two columns."""

LEGEND_ROW = 0.13
"""Height of a legend's line, in inches."""

MOST_NAMES = 8
"""Largest number of marks in a panel that are labelled with names."""

MOST_NUMBERS = 16
"""Largest number of bars that are labelled with their values."""

ROOM = 0.25
"""Inches of a panel for each bar below which the numbers stand upright."""

ABOVE_NUMBERS = 11
"""Points between a panel of bars and its title, room for the value above a bar of 100 %."""


@dataclass(frozen=True)
class Series:
    """Marks of one colour: x and y in order, the intervals of y and of a measured x, and the names of the marks.

    `index` chooses colour and marker, the same in both panels; by default the position of the series.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    intervals: Sequence[tuple[float, float]] = ()
    names: Sequence[str] = ()
    line: bool = False
    index: int | None = None
    x_intervals: Sequence[tuple[float, float]] = ()


def beside(
    spec: FigureSpec,
    data: Numbers,
    measured: Sequence[Series],
    published: Sequence[Series],
    x: str,
    y: str,
    text: str,
    *,
    measured_title: str = "measured",
    published_title: str = "published",
) -> "Figure":
    """Draw measured series left and published ones right; without measurements, the command that makes them.

    Raises `NotMeasuredError` if both are empty.
    """
    if not measured and (data.measured_only or not published):
        raise spec.missing(data)
    rows = max(_legend_rows(measured), _legend_rows(published))
    figure, axes = style.panels(2 if published else 1, height=2.9 + LEGEND_ROW * max(0, rows - 3))
    measured, published = _alike(measured, published)
    if measured:
        draw_series(axes[0], measured, x, y, measured_title, hollow=False)
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    if published:
        draw_series(axes[1], published, x, y, published_title, hollow=True)
    style.caption(figure, f"{spec.title}. {text}")
    return figure


def _alike(measured: Sequence[Series], published: Sequence[Series]) -> tuple[list[Series], list[Series]]:
    """Give each published series the colour and marker of the measured one with its label; others get unused ones."""
    left = [replace(one, index=place) if one.index is None else one for place, one in enumerate(measured)]
    taken = {one.label: one.index for one in left}
    free = (i for i in count() if i not in {taken.get(one.label) for one in published})
    right = [
        one if one.index is not None else replace(one, index=taken[one.label] if one.label in taken else next(free))
        for one in published
    ]
    return left, right


def draw_series(axes: "Axes", series: Sequence[Series], x: str, y: str, title: str, *, hollow: bool) -> None:
    """Draw all series in one panel, with a legend below."""
    for place, one in enumerate(series):
        index = place if one.index is None else one.index
        if hollow:
            style.published(axes, one.x, one.y, label=one.label, index=index, line=one.line)
        else:
            style.measured(
                axes,
                one.x,
                one.y,
                one.intervals,
                x_intervals=one.x_intervals,
                label=one.label,
                index=index,
                line=one.line,
            )
    axes.margins(x=0.08)
    if sum(len(one.names) for one in series) <= MOST_NAMES:
        for one in series:
            _write_names(axes, one)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    style.legend(axes, columns=_legend_columns(series))


def _legend_columns(series: Sequence[Series]) -> int:
    return 2 if len(series) > 3 and all(len(one.label) < SHORT for one in series) else 1


def _legend_rows(series: Sequence[Series]) -> int:
    lines = sum(len(style.label_lines(one.label)) for one in series)
    return -(-lines // _legend_columns(series))


def _write_names(axes: "Axes", series: Series) -> None:
    """Write each mark's name above or below it in turn, inwards at the ends of the axis, so that neighbours do not
    overlap."""
    low, high = axes.get_xlim()
    marks = sorted(zip(series.x, series.y, series.names, strict=False))
    for number, (x, y, name) in enumerate(marks):
        place, above = (x - low) / (high - low), number % 2 == 0
        side = "left" if place < NEAR_END else "right" if place > 1 - NEAR_END else "center"
        offset = ({"left": 4, "center": 0, "right": -4}[side], 5 if above else -5)
        axes.annotate(
            style.plain(name),
            (x, y),
            xytext=offset,
            textcoords="offset points",
            fontsize=6,
            ha=side,
            va="bottom" if above else "top",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.3},
        )


NEAR_END = 0.2
"""Share of an axis at whose ends names are written inwards."""

LONGEST_ROW = 40
"""Largest total length, in characters, of the names below bars that are written horizontally."""


def bars(
    axes: "Axes", groups: Sequence[str], series: Sequence[Series], y: str, title: str, *, hollow: bool = False
) -> None:
    """Draw bars of each series' y with intervals, one group per entry of `groups`; hollow for published numbers."""
    width, number = 0.8 / max(1, len(series)), len(groups) * len(series)
    figure = axes.get_figure(root=True)
    upright = figure is not None and figure.get_figwidth() / max(1, len(figure.axes)) < ROOM * number
    for index, one in enumerate(series):
        places = [g + (index - (len(series) - 1) / 2) * width for g in range(len(groups))]
        colour = style.colour(index if one.index is None else one.index)
        axes.bar(
            places,
            one.y,
            width * 0.92,
            label=one.label,
            linewidth=0.8,
            edgecolor=colour,
            facecolor="white" if hollow else colour,
            hatch="////" if hollow else None,
        )
        if one.intervals:
            errors = style.errors(one.y, one.intervals)
            axes.errorbar(places, one.y, yerr=errors, fmt="none", ecolor="black", elinewidth=0.6)
        if number <= MOST_NUMBERS:
            _write_values(axes, places, one, upright=upright)
    if len(groups) < 3:
        axes.set_xlim(-1, len(groups))
    axes.margins(y=0.14)
    labels = [style.plain(group) for group in groups]
    axes.set_xticks(range(len(groups)), labels)
    if sum(map(len, labels)) > LONGEST_ROW:
        axes.set_xticks(range(len(groups)), labels, rotation=25, ha="right", rotation_mode="anchor")
    axes.grid(axis="x", visible=False)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel(y)
    axes.set_title(title, pad=ABOVE_NUMBERS + 6 * upright)


def _write_values(axes: "Axes", places: Sequence[float], series: Series, *, upright: bool) -> None:
    """Write the value above each bar and its interval, so that a bar of height 0 is visible."""
    ends = [high for _, high in series.intervals] or series.y
    for x, value, end in zip(places, series.y, ends, strict=True):
        axes.annotate(
            decimal(value),
            (x, max(end, 0.0)),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=5.5,
            rotation=90 * upright,
        )


def of_column(
    label: str,
    x: Sequence[float] | Column,
    column: Column,
    models: Sequence[str],
    *,
    names: Sequence[str] = (),
    line: bool = False,
    index: int | None = None,
) -> Series:
    """Return the numbers of `models` in a column with their intervals; x may be another column, with its intervals."""
    numbers = [column.numbers[model] for model in models]
    across = [x.numbers[model] for model in models] if isinstance(x, Column) else []
    return Series(
        label,
        [n.value for n in across] if isinstance(x, Column) else x,
        [n.value for n in numbers],
        [(n.low, n.high) for n in numbers],
        names,
        line,
        index,
        [(n.low, n.high) for n in across],
    )


def clean_and_robust(spec: FigureSpec, data: Numbers, names: Sequence[str], least: int = 2) -> "Figure":
    """Draw two bars per model, clean and robust accuracy, in the order of `names`."""
    both = data.both(names)
    if both is None or len(both.names) < least:
        raise spec.missing(data)
    shared = both.names
    figure, (axes,) = style.panels(1, height=2.6, width=style.TWO_COLUMNS if len(shared) > 4 else style.ONE_COLUMN)
    labels = ("clean", "under attack")
    series = [of_column(label, (), c, shared) for label, c in zip(labels, (both.clean, both.robust), strict=True)]
    bars(axes, shared, series, "accuracy (%)", "measured")
    style.legend(axes, columns=2, bbox_to_anchor=(0.5, 1.05), loc="lower center")
    axes.set_title("")
    style.caption(figure, f"{spec.title}. {both.about}Published: no number verified.")
    return figure
