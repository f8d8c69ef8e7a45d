"""Clean accuracy against size."""

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.figures.advprop.trainings import NEEDS, SIZES, by_size, kind, released
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import GROWTH, differences, groups
from bench.figures.measured import Numbers
from bench.figures.series import beside, of_column
from bench.published.papers import points, readings, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLD_APART = ("images", "share", "role")
"""Fields left out of a legend because the number of batch norms implies them."""


README_LOOKS = (6, 7)
"""Colours of what only the README has, which no measured training bears."""


@figure(
    "advprop-scaling",
    "Clean accuracy against size",
    "1911.09665, Figures 1 and 4",
    "--model tiny_std_long,tiny_advprop@clean,tiny_advprop_deep@clean --suite tiny",
    NEEDS,
)
def scaling(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy against number of parameters, with and without AdvProp; one line per training."""
    told = [f for f in data.told(spec.needs) if kind(f) and f.parameters]
    column, series = data.clean([f.name for f in told]), []
    unit, scale = ("millions", 1e6) if any(f.parameters >= 1e6 for f in told) else ("thousands", 1e3)
    for index, label in enumerate(("vanilla", "AdvProp")):
        mine = [f for f in told if column and f.name in column.numbers and kind(f) == label]
        every = groups(mine, *GROWTH)
        for number, (group, text) in enumerate(zip(every, differences(every, *GROWTH, *TOLD_APART), strict=True)):
            names = [f.name for f in sorted(group, key=lambda f: f.parameters)]
            x = [f.parameters / scale for f in sorted(group, key=lambda f: f.parameters)]
            title = ", ".join(filter(None, [label, text]))
            look = index + 2 * number
            if column:
                series.append(of_column(title, x, column, names, names=names, line=len(names) > 1, index=look))
    rows = points(spec.name)
    readme = released(
        ("vanilla with AutoAugment", "vanilla", "autoaugment"), ("AdvProp with AutoAugment", "AdvProp", "autoaugment")
    )
    used = [row for each in (*rows.values(), *readme.values()) for row in each]
    augmented = [replace(one, index=look) for one, look in zip(by_size(", README", readme), README_LOOKS, strict=False)]
    shown = by_size(", the paper", rows) + augmented
    text = f"Measured: {column.about()}. " if column and series else ""
    text += f"Published: EfficientNets on ImageNet, {readings(used)} ({sources(used)})."
    figure = beside(spec, data, series, shown, f"parameters ({unit})", "clean accuracy (%)", text)
    figure.axes[-1].set_xticks(range(len(SIZES)), SIZES)
    figure.axes[-1].set_xlabel("EfficientNet")
    return figure
