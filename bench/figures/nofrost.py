"""Figures of NoFrost (arXiv 2207.01156)."""

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bench.condition import spell
from bench.figures import style
from bench.figures.base import FigureSpec, Series, bars, beside, of_column
from bench.figures.measured import Column, Facts, Numbers
from bench.published.papers import NOFROST, find, sources

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = {
    "clean": ((), "", False),
    "PGD": ((), "", False),
    "corruptions": (("tiny-c", "imagenet-c", "imagenet-c-live"), "mean_error", True),
    "A": (("tiny-a", "imagenet-a"), "accuracy", False),
    "R": (("imagenet-r",), "accuracy_200", False),
    "Sketch": (("imagenet-sketch",), "accuracy", False),
    "stylised": (("tiny-stylized", "stylized"), "accuracy", False),
    "shape": (("tiny-cue-conflict", "cue-conflict"), "shape_accuracy", False),
}
"""The radar's axes: suites in order of preference, metric, and whether it counts errors."""

PUBLISHED = {
    "nofrost_resnet50": "NoFrost",
    "nofrost_resnet50_bn_at": "AT with BN",
    "nofrost_resnet50_bn": "standard training with BN",
}
"""The paper's models, by their cards."""

SMOOTHNESS = {"gradient_l2": "gradient norm (L2)", "lipschitz": "local Lipschitz", "gradient_cosine": "gradient cosine"}


def rival(facts: Facts) -> bool:
    """Standard training, adversarial training, and joint training with and without normalisation."""
    recipe = facts.recipe
    if recipe is None:
        return facts.method in ("nofrost", "standard")
    return recipe.name in ("std", "at", "mix", "gn", "nofrost", "mix_star", "nofrost_star")


def rivals(data: Numbers) -> list[str]:
    """Names of the models that these figures are about."""
    return [facts.name for facts in data.models if rival(facts)]


def draw_scatter(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean against robust accuracy."""
    clean, robust = data.clean(rivals(data)), data.robust(rivals(data))
    series, about = [], ""
    looks: dict[str, int] = {}
    if clean and robust and (names := sorted(clean.numbers.keys() & robust.numbers.keys())):
        about = f"Measured: {clean.about()} and {robust.about()}. "
        series = [
            of_column(name, [clean.numbers[name].value], robust, [name], index=_look(name, looks)) for name in names
        ]
    rows = find(NOFROST, "robust_accuracy")
    at = {row.card: row.number.value for row in find(NOFROST, "accuracy")}
    shown = [
        Series(
            PUBLISHED[card],
            [at[card]] * len(mine),
            [row.number.value for row in mine],
            index=_look(PUBLISHED[card], looks),
        )
        for card in dict.fromkeys(row.card for row in rows)
        for mine in [[row for row in rows if row.card == card]]
    ]
    text = f"{about}Published: ResNet-50 on ImageNet, PGD-20, eps 8/255 ({sources(rows)})."
    return beside(spec, data, series, shown, "clean accuracy (%)", "robust accuracy (%)", text)


def _look(name: str, looks: dict[str, int]) -> int:
    """NoFrost, adversarial and standard training look the same in both panels; others follow."""
    for index, words in enumerate(
        (("nofrost", "NoFrost"), ("tiny_at", "AT with BN"), ("tiny_std", "standard training"))
    ):
        if any(word in name for word in words):
            return index
    return looks.setdefault(name, 3 + len(looks))


def draw_attacks(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of accuracy, a group an attack."""
    names = rivals(data)
    families = sorted({c.family for c in data.columns if c.attack and set(names) & c.numbers.keys()})
    found = [data.best(names, lambda c, f=family: c.family == f) for family in families]  # type: ignore[misc]
    chosen = [column for column in found if column]
    shared = [name for name in names if all(name in column.numbers for column in chosen)]
    if len(chosen) < 2 or len(shared) < 2:
        raise spec.missing(data)
    figure, (axes,) = style.panels(1, height=2.6, width=style.TWO_COLUMNS if len(chosen) > 1 else style.ONE_COLUMN)
    series = []
    for name in shared:
        numbers = [column.numbers[name] for column in chosen]
        series.append(Series(name, (), [n.value for n in numbers], [(n.low, n.high) for n in numbers]))
    bars(axes, [_short(column) for column in chosen], series, "robust accuracy (%)", "")
    style.legend(axes, columns=4, bbox_to_anchor=(0.5, 1.0), loc="lower center")
    about = "; ".join(column.about() for column in chosen)
    style.caption(figure, f"{spec.title}. Measured: {about}. Published: no number verified.")
    return figure


def _short(column: Column) -> str:
    if column.attack is None:
        return column.dataset
    eps = spell(column.attack.eps, column.attack.norm).replace("_", "/")
    steps = f"-{column.steps}" if column.steps else ""
    targeted = " targeted" if column.attack.targeted else ""
    return f"{column.family}{steps}{targeted}\neps {eps}"


def draw_radar(spec: FigureSpec, data: Numbers) -> "Figure":
    """One closed line a model over all axes that every model has."""
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

    columns = {label: found for label in AXES if (found := _axis(data, label))}
    shared = [name for name in rivals(data) if all(name in c.numbers for c in columns.values())]
    if len(columns) < 3 or len(shared) < 2:
        raise spec.missing(data)
    figure = Figure(figsize=(style.ONE_COLUMN, 3.9), layout="constrained")
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
    style.legend(axes, columns=3, bbox_to_anchor=(0.5, -0.08))
    about = "; ".join(f"{label}: {column.about()}" for label, column in columns.items())
    style.caption(figure, f"{spec.title}: accuracy on every axis. Measured: {about}. Published: no number verified.")
    return figure


def _axis(data: Numbers, label: str) -> Column | None:
    suites, metric, _ = AXES[label]
    if label == "clean":
        return data.clean(rivals(data))
    return data.robust(rivals(data)) if label == "PGD" else data.metric(rivals(data), suites, metric)


def _share(label: str, column: Column, name: str) -> float:
    value = column.numbers[name].value
    return 100 - value if AXES[label][2] else value


def draw_smoothness(spec: FigureSpec, data: Numbers) -> "Figure":
    """Histograms of the suite `smoothness`, of rightly classified images."""
    return histograms(spec, data, "smoothness", SMOOTHNESS)


def draw_margins(spec: FigureSpec, data: Numbers) -> "Figure":
    """Histograms of the suite `margin`: distances and output margins."""
    return histograms(spec, data, "margin", {"distance": "smallest perturbation", "margin": "output margin (logits)"})


def histograms(spec: FigureSpec, data: Numbers, suite: str, what: dict[str, str]) -> "Figure":
    """One panel a column of the suite's records, one outline a model."""
    column = data.best(rivals(data), lambda c: c.suite == suite and c.condition != "all")
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
        f"{spec.title}, of images that each model classifies rightly; dotted lines are medians. "
        f"Measured: {column.about()}. Published: no number verified.",
    )
    return figure


def outline(axes: "Axes", values: dict[str, NDArray[np.float64]], label: str, bins: int = 30) -> None:
    """Densities on common bins, on a logarithmic axis where the values span more than two decades."""
    every = np.concatenate(list(values.values()))
    positive = bool((every > 0).all()) and every.max() > 100 * np.quantile(every, 0.01)
    low, high = np.quantile(every, [0.005, 0.995])
    edges = (np.geomspace(low, high, bins) if positive else np.linspace(low, high, bins)).tolist()
    for index, (model, mine) in enumerate(values.items()):
        axes.hist(
            mine,
            edges,
            weights=np.full(len(mine), 100 / max(1, len(mine))),
            histtype="step",
            label=model,
            color=style.colour(index),
            linewidth=1.0,
        )
        if len(mine):
            axes.axvline(float(np.median(mine)), color=style.colour(index), linestyle=":", linewidth=0.8)
    if positive:
        axes.set_xscale("log")
    axes.set_xlabel(label)
    axes.set_ylabel("images (%)")


FIGURES = (
    FigureSpec(
        "nofrost-clean-robust",
        "Clean against robust accuracy",
        "2207.01156, abstract",
        "--model tiny_std,tiny_at,tiny_mix,tiny_gn,tiny_nofrost --suite tiny-pgd",
        draw_scatter,
    ),
    FigureSpec(
        "nofrost-attacks",
        "Robust accuracy attack by attack",
        "2207.01156, test.py",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite tiny-pgd,aa-fast --eps 8/255 --limit 100",
        draw_attacks,
    ),
    FigureSpec(
        "nofrost-radar",
        "Comprehensive robustness",
        "2207.01156, test.py",
        "--model tiny_std,tiny_at,tiny_mix,tiny_nofrost --suite tiny-pgd,tiny-c,tiny-a,tiny-stylized",
        draw_radar,
    ),
    FigureSpec(
        "nofrost-smoothness",
        "Smoothness around clean images",
        "2207.01156, abstract",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite smoothness --limit 500",
        draw_smoothness,
    ),
    FigureSpec(
        "nofrost-margins",
        "Decision margins",
        "2207.01156, abstract",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite margin --limit 200",
        draw_margins,
    ),
)
