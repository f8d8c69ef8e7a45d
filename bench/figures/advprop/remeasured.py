"""Gain of AdvProp as reported by its authors and as measured by others."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.advprop.trainings import SIZES, efficientnet, kind
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import Facts
from bench.figures.measured import Numbers
from bench.published.papers import sources
from bench.published.table import Published, published_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGAIN: dict[str, tuple[str, Callable[[Published], bool]]] = {
    "clean, README": ("imagenet accuracy", lambda r: r.number.by == "authors"),
    "clean, timm": ("imagenet accuracy", lambda r: r.number.by == "timm"),
    "clean, imagenet-testbed": ("imagenet accuracy", lambda r: r.number.by.startswith("imagenet-testbed")),
    "ImageNet-A, timm": ("imagenet-a accuracy_200", lambda r: r.number.by == "timm"),
    "ImageNet-R, timm": ("imagenet-r accuracy_200", lambda r: r.number.by == "timm"),
    "ImageNet-Sketch, timm": ("imagenet-sketch accuracy", lambda r: r.number.by == "timm"),
    "ImageNet-A, imagenet-testbed": ("imagenet-a accuracy_200", lambda r: r.number.by.startswith("imagenet-testbed")),
    "ImageNet-R, imagenet-testbed": ("imagenet-r accuracy_200", lambda r: r.number.by.startswith("imagenet-testbed")),
}
"""Source of the numbers, their data set, and the filter on rows: AdvProp with AutoAugment minus AutoAugment alone."""


@figure(
    "advprop-remeasured",
    "What AdvProp gains, by its authors and as others measured it",
    "1911.09665, Figure 1 and its table of distorted sets",
)
def remeasured(spec: FigureSpec, data: Numbers) -> "Figure":  # noqa: ARG001
    """Gain of AdvProp in its authors' numbers and in others' measurements of the same released weights."""
    values: dict[tuple[str, str, str], float] = {}
    used = []
    for row in published_table():
        facts = Facts.of(row.card) if row.card else None
        if facts is None or not efficientnet(facts) or facts.traits.augmentation != "autoaugment" or facts.extra_data:
            continue
        for label, (what, wanted) in AGAIN.items():
            if what == f"{row.number.dataset} {row.number.metric}" and wanted(row) and not row.number.attack:
                values[label, efficientnet(facts), kind(facts)] = row.number.value
                used.append(row)
    figure, axes = style.panels(2, height=2.9)
    for index, label in enumerate(AGAIN):
        sizes = [s for s in SIZES if {(label, s, "vanilla"), (label, s, "AdvProp")} <= values.keys()]
        gains = [values[label, s, "AdvProp"] - values[label, s, "vanilla"] for s in sizes]
        x = [float(SIZES.index(s)) for s in sizes]
        style.published(axes[int(index > 2)], x, gains, label=label, index=index, line=True)
    for one, title in zip(axes, ("clean images", "shifted images"), strict=True):
        one.set_xticks(range(len(SIZES) - 1), SIZES[:-1])
        one.set_xlabel("EfficientNet")
        one.set_ylabel("gain (points)")
        one.set_title(title)
        one.axhline(0, color="black", linewidth=0.6)
        style.legend(one)
    style.caption(figure, f"{spec.title}. No measurement of ours. Published: {sources(used)}.")
    return figure
