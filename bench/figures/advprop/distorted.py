"""Gain of AdvProp over vanilla training on each distorted set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.advprop.trainings import NEEDS, TRAINING, kind
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import Facts
from bench.figures.measured import Column, Numbers
from bench.figures.series import Series, bars
from bench.folder.anytime import anytime_difference
from bench.metrics.accuracy import only
from bench.metrics.corruption import error_per_image
from bench.metrics.estimate import Estimate, mean_estimate
from bench.metrics.paired import compare
from bench.published.papers import ADVPROP, find, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISTORTED = {
    "ImageNet-C": (("imagenet-c", "mean_error"), ("imagenet-c-live", "mean_error"), ("tiny-c", "mean_error")),
    "ImageNet-A": (("imagenet-a", "accuracy_200"), ("tiny-a", "accuracy")),
    "ImageNet-R": (("imagenet-r", "accuracy_200"),),
    "Stylized": (("stylized", "accuracy"), ("tiny-stylized", "accuracy")),
}
"""Suites in order of preference, each with its metric."""

ABSTRACT = {
    "ImageNet-C": ("imagenet-c", "mce_reduction"),
    "ImageNet-A": ("imagenet-a", "accuracy_gain"),
    "Stylized": ("stylized", "accuracy_gain"),
}

MOST_PAIRS = 4


@figure(
    "advprop-distorted-sets",
    "What AdvProp gains on distorted sets",
    "1911.09665, Table of distorted sets",
    "--model tiny_std_long,tiny_advprop@clean --suite tiny-c,tiny-a,tiny-stylized",
    NEEDS,
)
def distorted_sets(spec: FigureSpec, data: Numbers) -> "Figure":
    """Gain of AdvProp over vanilla training on each set; one colour per pair of networks."""
    measured: list[tuple[str, dict[str, Estimate]]] = []
    abouts: list[str] = []
    sets: list[str] = []
    for before, after in pairs_of(data.told(spec.needs)):
        columns = {name: c for name, suites in DISTORTED.items() if (c := _shared(data, suites, before, after))}
        if columns and len(measured) < MOST_PAIRS:
            gains = {name: gain_of(data, column, before.name, after.name) for name, column in columns.items()}
            measured.append((f"{after.name} less {before.name}", gains))
            abouts += [column.about() for column in columns.values()]
            sets += [name for name in columns if name not in sets]
    complete = [(label, gains) for label, gains in measured if set(gains) == set(sets)]
    rows = [find(ADVPROP, metric, model="B7", dataset=dataset)[0] for dataset, metric in ABSTRACT.values()]
    figure, axes = style.panels(2, height=2.4 + 0.12 * len(complete))
    if complete:
        series = [
            Series(
                label,
                (),
                [100 * gains[name].value for name in sets],
                [(100 * gains[name].low, 100 * gains[name].high) for name in sets],
            )
            for label, gains in complete
        ]
        bars(axes[0], sets, series, "gain (points)", "measured")
        style.legend(axes[0])
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    published = [Series("EfficientNet-B7", (), [r.number.value for r in rows])]
    bars(axes[1], list(ABSTRACT), published, "gain (points)", "published", hollow=True)
    style.legend(axes[1])
    told = "; ".join(dict.fromkeys(abouts))
    told = f"Measured (C by its mean error), with the paired difference's 95 % interval: {told}. " if complete else ""
    style.caption(figure, f"{spec.title}. {told}Published: {sources(rows)}; C by its mCE.")
    return figure


def pairs_of(told: Sequence[Facts]) -> list[tuple[Facts, Facts]]:
    """Pair each AdvProp model with the vanilla model that differs only in its training images, and possibly in epochs.

    Of several with other epochs, the one trained longest is taken.
    """
    found = []
    for after in (f for f in told if kind(f) == "AdvProp"):
        free = (*TRAINING, "attacker")
        alike = [f for f in told if kind(f) == "vanilla" and f.key((*free, "epochs")) == after.key((*free, "epochs"))]
        if alike:
            found.append((max(alike, key=lambda f: f.traits.epochs), after))
    return found


def _shared(data: Numbers, suites: Sequence[tuple[str, str]], *pair: Facts) -> Column | None:
    """Return the column of the first suite that has both models."""
    names = [f.name for f in pair]
    found = (data.metric(names, (suite,), metric) for suite, metric in suites)
    return next((column for column in found if column and len(column.numbers) == len(names)), None)


def gain_of(data: Numbers, column: Column, before: str, after: str) -> Estimate:
    """Return the paired difference of accuracy, after minus before, over the images of both models; in [-1, 1]."""
    frames = [data.frames(model, column) for model in (after, before)]
    if column.metric == "mean_error":
        better, worse = (error_per_image(each) for each in frames)
        return mean_estimate((worse - better).dropna().to_numpy(dtype=float))
    found = compare(*(only(each) for each in frames))
    (after_cell,), (before_cell,) = (data.cells(model, column).values() for model in (after, before))
    interval = anytime_difference(after_cell, before_cell) or found
    return Estimate(found.difference, interval.low, interval.high, found.n)
