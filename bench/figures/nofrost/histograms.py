"""Smoothness around clean images, and decision margins."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.figures import style
from bench.figures.base import FigureSpec, figure
from bench.figures.measured import Numbers
from bench.figures.nofrost.rivals import NEEDS, rivals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHNESS = {"gradient_l2": "gradient norm (L2)", "lipschitz": "local Lipschitz", "gradient_cosine": "gradient cosine"}


@figure(
    "nofrost-smoothness",
    "Smoothness around clean images",
    "2207.01156, abstract",
    "--model tiny_at,tiny_mix,tiny_nofrost --suite smoothness --limit 500",
    NEEDS,
)
def smoothness(spec: FigureSpec, data: Numbers) -> "Figure":
    """Histograms of the suite `smoothness` over correctly classified images."""
    return histograms(spec, data, "smoothness", SMOOTHNESS)


@figure(
    "nofrost-margins",
    "Decision margins",
    "2207.01156, abstract",
    "--model tiny_at,tiny_mix,tiny_nofrost --suite margin --limit 200",
    NEEDS,
)
def margins(spec: FigureSpec, data: Numbers) -> "Figure":
    """Histograms of the suite `margin`: distances to the decision boundary and output margins."""
    return histograms(spec, data, "margin", {"distance": "smallest perturbation", "margin": "output margin (logits)"})


def histograms(spec: FigureSpec, data: Numbers, suite: str, what: dict[str, str]) -> "Figure":
    """Draw one panel per column of the suite's records, with one outline per model."""
    column = data.best(rivals(spec, data), lambda c: c.suite == suite and c.condition != "all")
    if column is None or len(column.numbers) < 2:
        raise spec.missing(data)
    figure, panels = style.panels(len(what), height=2.4)
    records = data.records(column)
    for axes, (name, label) in zip(panels, what.items(), strict=True):
        values = {}
        for model, frame in records.items():
            right = frame[frame["scored"] & (frame["prediction"] == frame["label"])]
            values[model] = right[name].dropna().to_numpy(dtype=float)
        outline(axes, values, label)
    style.legend(panels[len(panels) // 2], columns=4)
    style.caption(
        figure,
        f"{spec.title}, of images that each model classifies rightly; dotted lines are medians. The bins at the ends "
        f"hold all values beyond them. Measured: {column.about()}. Published: no number verified.",
    )
    return figure


def outline(axes: "Axes", values: dict[str, NDArray[np.float64]], label: str, bins: int = 30) -> None:
    """Draw densities on common bins; the axis is logarithmic if the values span more than two decades.

    Values beyond the bins, and infinite ones (no perturbation was found), are in the bins at the ends.
    """
    every = np.concatenate(list(values.values()))
    finite = every[np.isfinite(every)]
    axes.set_xlabel(label)
    axes.set_ylabel("images (%)")
    if not len(finite):
        return
    low, high = np.quantile(finite, [0.005, 0.995])
    positive = bool((finite > 0).all()) and finite.max() > 100 * np.quantile(finite, 0.01)
    edges = np.geomspace(low, high, bins) if positive else np.linspace(low, high, bins)
    for index, (model, mine) in enumerate(values.items()):
        colour = style.colour(index)
        weights = np.full(len(mine), 100 / max(1, len(mine)))
        shown = mine.clip(edges[0], edges[-1])
        axes.hist(shown, edges.tolist(), weights=weights, histtype="step", label=model, color=colour, linewidth=1.0)
        if len(mine) and np.isfinite(middle := float(np.median(mine))):
            axes.axvline(middle, color=colour, linestyle=":", linewidth=0.8)
    if positive:
        axes.set_xscale("log")
