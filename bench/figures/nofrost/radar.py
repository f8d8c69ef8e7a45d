"""Radar chart of accuracy on several robustness benchmarks."""

from typing import TYPE_CHECKING, cast

import numpy as np

from bench.figures import style
from bench.figures.base import FigureSpec, figure
from bench.figures.measured import Column, Numbers
from bench.figures.nofrost.rivals import NEEDS, rivals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Suites = tuple[tuple[str, str], ...]

AXES: dict[str, tuple[Suites, bool]] = {
    "clean": ((), False),
    "PGD": ((), False),
    "corruptions": ((("imagenet-c", "mean_error"), ("imagenet-c-live", "mean_error"), ("tiny-c", "mean_error")), True),
    "A": ((("imagenet-a", "accuracy_200"), ("tiny-a", "accuracy")), False),
    "R": ((("imagenet-r", "accuracy_200"),), False),
    "Sketch": ((("imagenet-sketch", "accuracy"),), False),
    "stylised": ((("stylized", "accuracy"), ("tiny-stylized", "accuracy")), False),
    "shape": ((("cue-conflict", "shape_accuracy"), ("tiny-cue-conflict", "shape_accuracy")), False),
}
"""Axis -> its suites and metrics in order of preference, and whether the metrics are errors."""

SHORT_NAME = 14
"""Longest name, in characters, of which three fit in a row of the legend."""


@figure(
    "nofrost-radar",
    "Comprehensive robustness",
    "2207.01156, test.py",
    "--model tiny_std,tiny_at,tiny_mix,tiny_nofrost --suite tiny-pgd,tiny-c,tiny-a,tiny-stylized",
    NEEDS,
)
def radar(spec: FigureSpec, data: Numbers) -> "Figure":
    """One closed line per model, over the axes on which every model was measured."""
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

    columns = {label: found for label in AXES if (found := _axis(spec, data, label))}
    shared = data.shared(rivals(spec, data), list(columns.values()))
    if len(columns) < 3 or len(shared) < 2:
        raise spec.missing(data)
    columns_of_names = 3 if max(map(len, shared)) <= SHORT_NAME else 2
    height = 3.6 + 0.13 * -(-len(shared) // columns_of_names)
    figure = Figure(figsize=(style.ONE_COLUMN, height), layout="constrained")
    axes = cast(PolarAxes, figure.add_subplot(projection="polar"))
    angles = np.linspace(0, 2 * np.pi, len(columns), endpoint=False)
    for index, name in enumerate(shared):
        values = [_share(label, column, name) for label, column in columns.items()]
        axes.plot(
            [*angles, angles[0]],
            [*values, values[0]],
            color=style.colour(index),
            marker=style.marker(index),
            markersize=3,
            label=name,
        )
    axes.set_xticks(angles, list(columns))
    axes.set_ylim(0, 100)
    axes.set_rgrids([25, 50, 75, 100], ["25", "50", "75", "100 %"], angle=180 / len(columns), fontsize=6)
    style.legend(axes, columns=columns_of_names, bbox_to_anchor=(0.5, -0.08))
    about = "; ".join(f"{label}: {column.about()}" for label, column in columns.items())
    style.caption(figure, f"{spec.title}: accuracy on every axis. Measured: {about}. Published: no number verified.")
    return figure


def _axis(spec: FigureSpec, data: Numbers, label: str) -> Column | None:
    names = rivals(spec, data)
    if label == "clean":
        return data.clean(names)
    if label == "PGD":
        return data.robust(names)
    found = (data.metric(names, (suite,), metric) for suite, metric in AXES[label][0])
    return next((column for column in found if column), None)


def _share(label: str, column: Column, name: str) -> float:
    value = column.numbers[name].value
    return 100 - value if AXES[label][1] else value
