"""One style for every figure: sizes and fonts of a two-column paper, colours safe for colour-blind readers.

Measured numbers are filled marks with their 95 % interval and solid lines; published ones are hollow marks and dashed
lines. Colour follows the model, never the rank.
"""

import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.text import escape_unprintable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ONE_COLUMN = 3.3
TWO_COLUMNS = 6.9
"""Widths of figures, in inches."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
"""Palette of Okabe & Ito 2008, Color Universal Design; grey replaces yellow, which is hard to see on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

RC: dict[str, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.1,
    "lines.markersize": 4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "bench",
    "savefig.dpi": 200,
}

FORMATS = ("png", "svg", "pdf")
NO_DATE: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata without dates, so that the same figure gives the same file."""

CAPTION_SIZE = 6
CHARACTERS_AN_INCH = 25.5
"""Characters per inch in the caption's font size."""


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style to everything drawn and saved within. Characters that the font lacks appear as boxes."""
    import matplotlib as mpl

    with mpl.rc_context(RC), warnings.catch_warnings():  # type: ignore[arg-type]
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


LONGEST = 48
"""Longest name in a legend, in characters; longer names are shortened in the middle."""


def plain(text: str) -> str:
    """Return `text` with dollar signs escaped, which would begin a formula; long text is shortened."""
    text = escape_unprintable(" ".join(text.split()))
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 18]}...{text[-15:]}"
    return short.replace("$", r"\$")


LEGEND_LINE = 64
"""Letters of a line of a legend that a panel has room for."""


def label_lines(text: str) -> list[str]:
    """Return the lines of a label in a legend: two for a long one, whose middle may be what tells it from others."""
    text = escape_unprintable(" ".join(text.split()))
    if len(text) > 2 * LEGEND_LINE:
        text = f"{text[:LEGEND_LINE]}...{text[-LEGEND_LINE + 8 :]}"
    return textwrap.wrap(text, LEGEND_LINE, break_on_hyphens=False) or [""]


def panels(count: int = 1, *, height: float = 2.3, width: float | None = None) -> "tuple[Figure, list[Axes]]":
    """Make a figure with `count` panels side by side: one column wide for one panel, two for more. Sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width or (ONE_COLUMN if count == 1 else TWO_COLUMNS), height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def colour(index: int) -> str:
    """Return the `index`-th colour; colours repeat after eight, with another marker."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def marker(index: int) -> str:
    """Return the `index`-th marker; there are seven, so that 56 pairs of colour and marker differ."""
    return MARKERS[(index + index // len(OKABE_ITO)) % len(MARKERS)]


def measured(
    axes: "Axes",
    x: Sequence[float],
    y: Sequence[float],
    intervals: Sequence[tuple[float, float]] = (),
    *,
    x_intervals: Sequence[tuple[float, float]] = (),
    label: str,
    index: int,
    line: bool = False,
) -> None:
    """Draw filled marks, with intervals of y and x as error bars."""
    axes.errorbar(
        x,
        y,
        xerr=errors(x, x_intervals) if x_intervals else None,
        yerr=errors(y, intervals) if intervals else None,
        label=label,
        color=colour(index),
        marker=marker(index),
        elinewidth=0.7,
        linestyle="-" if line else "none",
    )


def errors(y: Sequence[float], intervals: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Return the distances of the intervals' ends from y, in matplotlib's form for error bars."""
    return [
        [max(0.0, v - low) for v, (low, _) in zip(y, intervals, strict=True)],
        [max(0.0, high - v) for v, (_, high) in zip(y, intervals, strict=True)],
    ]


def published(
    axes: "Axes", x: Sequence[float], y: Sequence[float], *, label: str, index: int, line: bool = False
) -> None:
    """Draw hollow marks."""
    axes.plot(
        x,
        y,
        label=label,
        color=colour(index),
        marker=marker(index),
        markerfacecolor="white",
        markersize=4.5,
        linestyle="--" if line else "none",
        linewidth=0.9,
    )


NOTED = "not measured"
"""Id of a panel that shows a note in place of measurements."""


def note(axes: "Axes", text: str, characters: int = 44) -> None:
    """Write into an empty panel what it would show and how to measure it."""
    axes.set_gid(NOTED)
    axes.text(
        0.5,
        0.5,
        textwrap.fill(text, characters, break_on_hyphens=False),
        ha="center",
        va="center",
        fontsize=7,
        color="#555555",
        transform=axes.transAxes,
    )
    axes.set_axis_off()


LABELS = 0.42
"""Height of an axis' tick labels and label, in inches."""

TURNED = 0.02
"""Height that each letter of a turned tick label adds, in inches."""


def legend(axes: "Axes", columns: int = 1, **options: Any) -> None:
    """Draw the legend below the panel's label, where it hides no mark; nothing if no series has a label."""
    from matplotlib.transforms import ScaledTranslation

    handles, labels = axes.get_legend_handles_labels()
    if handles:
        turned = max((len(tick.get_text()) for tick in axes.get_xticklabels() if tick.get_rotation()), default=0)
        below = ScaledTranslation(0, -LABELS - TURNED * turned, axes.get_figure(root=True).dpi_scale_trans)  # type: ignore[union-attr]
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "ncols": columns}
        if "bbox_to_anchor" not in options:
            place["bbox_transform"] = axes.transAxes + below
        place |= options
        texts = ["\n".join(label_lines(label)).replace("$", r"\$") for label in labels]
        axes.legend(handles, texts, columnspacing=1.0, handletextpad=0.4, **place)


SHARES = re.compile(r"\b(accuracy( \d+)?|images( below)?) \(%\)")
"""Labels of axes whose values lie in 0 to 100."""


def end_at_100(figure: "Figure") -> "Figure":
    """Limit every axis of an accuracy to at most 0..100 %, whatever room bars and marks take; returns `figure`."""
    for axes in figure.axes:
        for label, limits, place in (
            (axes.get_xlabel(), axes.get_xlim(), axes.set_xlim),
            (axes.get_ylabel(), axes.get_ylim(), axes.set_ylim),
        ):
            if SHARES.search(label):
                place(max(0.0, limits[0]), min(100.0, limits[1]))
                _unclip_marks(axes)
    return figure


def _unclip_marks(axes: "Axes") -> None:
    """Show marks on an axis limit in full; marks beyond it stay hidden."""
    import numpy as np

    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    for line in axes.lines:
        points = np.asarray(line.get_xydata(), dtype=float)
        if line.get_marker() not in ("None", "") and ((low <= points) & (points <= high)).all():
            line.set_clip_on(False)


def count_axis(axes: "Axes", values: Iterable[float]) -> None:
    """Make the x axis logarithmic, with ticks at the measured counts."""
    from matplotlib.ticker import NullLocator

    ticks = sorted(set(values))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def caption(figure: "Figure", text: str) -> None:
    """Write the caption below the figure: how it was measured, and the sources of published numbers."""
    lines = textwrap.fill(text, int(figure.get_figwidth() * CHARACTERS_AN_INCH), break_on_hyphens=False)
    figure.supxlabel(lines, fontsize=CAPTION_SIZE, x=0.01, ha="left", color="#333333", linespacing=1.25)


def save(figure: "Figure", stem: Path) -> list[Path]:
    """Save as STEM.png, .svg and .pdf, with the same bytes for the same figure; returns the paths."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in FORMATS]
    for path, suffix in zip(paths, FORMATS, strict=True):
        figure.savefig(path, metadata=NO_DATE[suffix])
    return paths
