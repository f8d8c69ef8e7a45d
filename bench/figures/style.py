"""One look for every figure: sizes and type of a two-column paper, colours that the colour-blind tell apart.

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
"""Widths in inches."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
"""Okabe & Ito 2008, Color Universal Design; yellow left out, which white paper swallows, grey in its place."""

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
"""Metadata that would make the same figure differ from day to day."""

CAPTION_SIZE = 6
CHARACTERS_AN_INCH = 25.5
"""Size of the caption's type."""


@contextmanager
def styled() -> Iterator[None]:
    """The look, for everything drawn and saved within. What the type lacks (a name in Chinese, say) shows as a box."""
    import matplotlib as mpl

    with mpl.rc_context(RC), warnings.catch_warnings():  # type: ignore[arg-type]
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


LONGEST = 48
"""Characters of a name in a legend; longer ones lose their middle."""


def plain(text: str) -> str:
    """`text` as it is written, a dollar sign included, which else would begin a formula; shortened where too long."""
    text = escape_unprintable(" ".join(text.split()))
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 18]}...{text[-15:]}"
    return short.replace("$", r"\$")


def panels(count: int = 1, *, height: float = 2.3, width: float | None = None) -> "tuple[Figure, list[Axes]]":
    """A figure with `count` panels side by side: one column wide for one panel, two for more."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width or (ONE_COLUMN if count == 1 else TWO_COLUMNS), height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def colour(index: int) -> str:
    """The `index`-th colour; after eight they repeat, with another marker."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def marker(index: int) -> str:
    """The `index`-th marker; it goes out of step with the colours, so that 56 pairs differ."""
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
    """Filled marks, with intervals of y, and of x where there are any, as bars."""
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
    """Distances of both ends of the intervals from y, as matplotlib wants them."""
    return [
        [max(0.0, v - low) for v, (low, _) in zip(y, intervals, strict=True)],
        [max(0.0, high - v) for v, (_, high) in zip(y, intervals, strict=True)],
    ]


def published(
    axes: "Axes", x: Sequence[float], y: Sequence[float], *, label: str, index: int, line: bool = False
) -> None:
    """Hollow marks."""
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
"""The id of a panel that says what it would show."""


def note(axes: "Axes", text: str, characters: int = 44) -> None:
    """What a panel would show, and how to make it."""
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
"""Inches that an axis' ticks and label take below it."""


def legend(axes: "Axes", columns: int = 1, **options: Any) -> None:
    """Below the panel's label, where it hides no mark; not at all where there is nothing to name."""
    from matplotlib.transforms import ScaledTranslation

    handles, labels = axes.get_legend_handles_labels()
    if handles:
        below = ScaledTranslation(0, -LABELS, axes.get_figure(root=True).dpi_scale_trans)  # type: ignore[union-attr]
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "ncols": columns}
        if "bbox_to_anchor" not in options:
            place["bbox_transform"] = axes.transAxes + below
        place |= options
        axes.legend(handles, [plain(label) for label in labels], columnspacing=1.0, handletextpad=0.4, **place)


SHARES = re.compile(r"\b(accuracy( \d+)?|images( below)?) \(%\)")
"""Labels of axes on which nothing lies outside 0 to 100."""


def end_at_100(figure: "Figure") -> "Figure":
    """End every axis of an accuracy at 0 and 100 %, however much room bars and marks asked for; returns `figure`."""
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
    """Show marks whole that lie on an end of an axis; what lies beyond stays hidden."""
    import numpy as np

    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    for line in axes.lines:
        points = np.asarray(line.get_xydata(), dtype=float)
        if line.get_marker() not in ("None", "") and ((low <= points) & (points <= high)).all():
            line.set_clip_on(False)


def count_axis(axes: "Axes", values: Iterable[float]) -> None:
    """A logarithmic x axis with the counts that were measured written out."""
    from matplotlib.ticker import NullLocator

    ticks = sorted(set(values))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def caption(figure: "Figure", text: str) -> None:
    """What is measured how, and where the published numbers come from, below the figure."""
    lines = textwrap.fill(text, int(figure.get_figwidth() * CHARACTERS_AN_INCH), break_on_hyphens=False)
    figure.supxlabel(lines, fontsize=CAPTION_SIZE, x=0.01, ha="left", color="#333333", linespacing=1.25)


def save(figure: "Figure", stem: Path) -> list[Path]:
    """Save as PNG, SVG and PDF: the same bytes for the same figure."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in FORMATS]
    for path, suffix in zip(paths, FORMATS, strict=True):
        figure.savefig(path, metadata=NO_DATE[suffix])
    return paths
