"""Bars of clean accuracy of two or three trainings, one group per network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.advprop.trainings import NEEDS, kind
from bench.figures.base import FigureSpec, figure
from bench.figures.measured import Column, Numbers
from bench.figures.series import Series, bars, of_column
from bench.published.papers import points, readings, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "advprop-fine-tuning",
    "Adversarial training, then fine-tuning on clean images",
    "1911.09665, Figure 2",
    "--model tiny_std,tiny_at,tiny_advprop_tuned --suite tiny",
    NEEDS,
)
def fine_tuning(spec: FigureSpec, data: Numbers) -> "Figure":
    """Adversarial training followed by fine-tuning on clean images, compared with each training alone."""
    told = data.told(spec.needs)
    by_name = {f.name: f for f in told}
    tuned = [f for f in told if f.traits.only == "clean" and f.traits.parent in by_name]
    vanilla = {
        f.name: next(
            (
                v
                for v in told
                if v.traits.only == "clean" and not v.traits.parent and v.key(("parent",)) == f.key(("parent",))
            ),
            None,
        )
        for f in tuned
    }
    column = data.clean([f.name for f in told])
    whole = [
        (before, by_name[f.traits.parent], f)
        for f in tuned
        if (before := vanilla[f.name])
        and column
        and all(n in column.numbers for n in (before.name, f.traits.parent, f.name))
    ]
    labels = ("vanilla", "adversarial training", "then clean fine-tuning")
    return by_network(spec, column, [(label, [each[i].name for each in whole]) for i, label in enumerate(labels)])


@figure(
    "advprop-single-batch-norm",
    "Auxiliary batch norm against one for both",
    "1911.09665, Figure 5",
    "--model tiny_advprop_single,tiny_advprop@clean --suite tiny",
    NEEDS,
)
def single_batch_norm(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy with an auxiliary batch norm and with one batch norm for both kinds of images."""
    told = data.told(spec.needs)
    single = [f for f in told if f.separate == 1 and set(f.traits.images) == {"clean", "adversarial"}]
    free = ("separate", "role")
    pairs = [(s, a) for s in single for a in told if kind(a) == "AdvProp" and a.key(free) == s.key(free)]
    column = data.clean([f.name for pair in pairs for f in pair])
    whole = [pair for pair in pairs if column and all(f.name in column.numbers for f in pair)]
    return by_network(
        spec,
        column,
        [
            ("one batch norm for both", [s.name for s, _ in whole]),
            ("auxiliary batch norm, main branch", [a.name for _, a in whole]),
        ],
    )


def by_network(spec: FigureSpec, column: Column | None, series: Sequence[tuple[str, list[str]]]) -> "Figure":
    """Bars of clean accuracy, one group per network and one bar per training, and the figure's published points."""
    rows = points(spec.name)
    used = [row for each in rows.values() for row in each]
    figure, axes = style.panels(2, height=2.7)
    least: list[float] = []
    if column and series[0][1]:
        measured = [of_column(label, (), column, names) for label, names in series]
        bars(axes[0], series[-1][1], measured, "clean accuracy (%)", "measured")
        least = [low for one in measured for low, _ in one.intervals]
        axes[0].set_ylim(bottom=max(0.0, min(least) - 5))
        style.legend(axes[0])
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    groups_shown = list(dict.fromkeys(row.x for row in used))
    shown = [Series(name, (), [row.number.value for row in each]) for name, each in rows.items()]
    bars(axes[1], groups_shown, shown, "clean accuracy (%)", "published", hollow=True)
    axes[1].set_ylim(bottom=min(row.number.value for row in used) - 5)
    axes[1].set_xlabel("EfficientNet")
    style.legend(axes[1])
    about = f"Measured: {column.about()}. " if column and least else ""
    style.caption(
        figure,
        f"{spec.title}; the axes do not begin at 0. {about}Published: ImageNet, {readings(used)} ({sources(used)}).",
    )
    return figure
