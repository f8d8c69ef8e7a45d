"""The content of a drawn figure: its marks as rows, and its caption."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.figures.style import NOTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer, ErrorbarContainer
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


@dataclass(frozen=True)
class FigureMark:
    """A mark of a figure: titles of its panel and series, x (a number or a bar's group), y, and the ends `low` and
    `high` of its interval, None if it has none."""

    panel: str
    series: str
    x: float | str
    y: float
    low: float | None = None
    high: float | None = None


def marks(figure: "Figure") -> list[FigureMark]:
    """Return every mark, point of a curve and bar of a figure, panel by panel."""
    return [mark for number, axes in enumerate(figure.axes, 1) for mark in _of_panel(axes, f"panel {number}")]


def take_caption(figure: "Figure") -> str:
    """Remove the caption from the figure and return it as one line."""
    text = " ".join(figure.get_supxlabel().split())
    figure.supxlabel("")
    return text


def is_measured(figure: "Figure") -> bool:
    """Return whether no panel shows the note `not measured`."""
    return not any(axes.get_gid() == NOTED for axes in figure.axes)


def _of_panel(axes: "Axes", name: str) -> Iterator[FigureMark]:
    from matplotlib.container import BarContainer, ErrorbarContainer

    panel = _plain(axes.get_title()) or name
    drawn: set[Any] = set()
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            drawn.add(container.lines[0])
            yield from _of_errorbars(container, panel)
        elif isinstance(container, BarContainer):
            yield from _of_bars(axes, container, panel)
    for line in axes.lines:
        label = str(line.get_label())
        if line not in drawn and not label.startswith("_"):
            yield from (_mark(panel, label, x, y) for x, y in _places(line))
    for points in axes.collections:
        label = str(points.get_label())
        if not label.startswith("_") and len(places := np.asarray(points.get_offsets(), dtype=float)) > 1:
            yield from (_mark(panel, label, x, y) for x, y in places)


def _of_errorbars(container: "ErrorbarContainer", panel: str) -> Iterator[FigureMark]:
    line, _, ends = container.lines
    label = str(container.get_label())
    if line is None or label.startswith("_"):
        return
    spans = [sorted(float(y) for _, y in span) for span in ends[-1].get_segments()] if ends else []
    points = _places(line)
    for place, (x, y) in enumerate(points):
        low, high = spans[place] if len(spans) == len(points) else (None, None)
        yield _mark(panel, label, x, y, low, high)


def _places(line: "Line2D") -> list[tuple[Any, Any]]:
    x: Any = line.get_xdata()
    y: Any = line.get_ydata()
    return list(zip(x, y, strict=True))


def _of_bars(axes: "Axes", container: "BarContainer", panel: str) -> Iterator[FigureMark]:
    names = [_plain(label.get_text()) for label in axes.get_xticklabels()]
    ticks = [float(tick) for tick in axes.get_xticks()]
    for bar in container.patches:
        middle = bar.get_x() + bar.get_width() / 2
        nearest = min(range(len(ticks)), key=lambda i: abs(ticks[i] - middle), default=None)
        group = names[nearest] if nearest is not None and nearest < len(names) and names[nearest] else f"{middle:g}"
        low, high = _interval(axes, middle, bar.get_height())
        yield FigureMark(panel, _plain(str(container.get_label())), group, float(bar.get_height()), low, high)


def _interval(axes: "Axes", x: float, y: float) -> tuple[float | None, float | None]:
    """Return the ends of the error bar at (x, y); None without one."""
    from matplotlib.collections import LineCollection

    for lines in axes.collections:
        for (x0, y0), (x1, y1) in lines.get_segments() if isinstance(lines, LineCollection) else ():
            low, high = min(y0, y1), max(y0, y1)
            if abs(x0 - x) < 1e-9 and abs(x1 - x) < 1e-9 and low - 1e-9 <= y <= high + 1e-9:
                return float(low), float(high)
    return None, None


def _mark(panel: str, label: str, x: Any, y: Any, low: float | None = None, high: float | None = None) -> FigureMark:
    return FigureMark(panel, _plain(label), x if isinstance(x, str) else float(x), float(y), low, high)


def _plain(text: str) -> str:
    """Return a title or label without matplotlib's escapes of formulas."""
    return " ".join(text.replace(r"\$", "$").split())
