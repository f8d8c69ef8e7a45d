"""Figures of NoFrost (arXiv 2207.01156)."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bench.condition import spell
from bench.figures import style
from bench.figures.base import FigureSpec, Series, bars, beside, of_column
from bench.figures.facts import Facts, groups
from bench.figures.intriguing import adversarial, curves, iterations
from bench.figures.measured import Column, Numbers
from bench.published.papers import NOFROST, find, sources
from model_zoo.registry import cards

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
"""The radar's axes: suites with their metrics in order of preference, and whether these count errors."""

SMOOTHNESS = {"gradient_l2": "gradient norm (L2)", "lipschitz": "local Lipschitz", "gradient_cosine": "gradient cosine"}

RIVALS = ("images", "share", "normalisation", "augmentation", "epochs", "attacker", "objective", "consistent")
"""In what NoFrost's rivals may differ from it: how they are trained and normalised, not what network they are."""


def training(facts: Facts) -> str:
    """`NoFrost`, `adversarial training`, `standard training`, or empty: these look the same in both panels."""
    if "adversarial" not in facts.traits.images:
        return "standard training"
    return "NoFrost" if facts.traits.normalisation == "none" else "adversarial training"


def rivals(spec: FigureSpec, data: Numbers) -> list[str]:
    """Networks of one kind and one normalisation for all images: those that NoFrost is among, else the largest group;
    all where the user named them."""
    told = [f for f in data.told(spec.needs) if f.separate == 1 and not f.traits.parent]
    if data.asked:
        return [f.name for f in data.told(spec.needs)]
    found = groups(told, *RIVALS)
    found.sort(key=lambda group: (any(training(f) == "NoFrost" for f in group), len(group)), reverse=True)
    return [f.name for f in found[0]] if found else []


def draw_scatter(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean against robust accuracy."""
    names = rivals(spec, data)
    clean, robust = data.clean(names), data.robust(names)
    series, about = [], ""
    looks: dict[str, int] = {}
    if clean and robust and (shared := sorted(clean.numbers.keys() & robust.numbers.keys())):
        about = f"Measured: {clean.about()} and {robust.about()}. "
        facts = {f.name: f for f in data.models}
        series = [
            of_column(name, [clean.numbers[name].value], robust, [name], index=_look(facts[name], looks))
            for name in shared
        ]
    rows = find(NOFROST, "robust_accuracy")
    at = {row.card: row.number.value for row in find(NOFROST, "accuracy")}
    shown = []
    for card in dict.fromkeys(row.card for row in rows):
        released, mine = Facts.of(card), [row.number.value for row in rows if row.card == card]
        norm = "" if released.traits.normalisation == "none" else f" with {released.traits.normalisation} norm"
        shown.append(Series(f"{training(released)}{norm}", [at[card]] * len(mine), mine, index=_look(released, {})))
    text = f"{about}Published: ResNet-50 on ImageNet, PGD-20, eps 8/255 ({sources(rows)})."
    return beside(spec, data, series, shown, "clean accuracy (%)", "robust accuracy (%)", text)


KINDS = ("NoFrost", "adversarial training", "standard training")


def _look(facts: Facts, looks: dict[str, int]) -> int:
    """The first model of each kind of training has the kind's look in both panels; others follow."""
    kind = training(facts)
    plain = facts.traits.augmentation in ("", "none")
    if plain and kind not in looks:
        looks[kind] = KINDS.index(kind)
        return looks[kind]
    return looks.setdefault(facts.name, len(KINDS) + len(looks))


def draw_attacks(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of accuracy, a group an attack."""
    names = rivals(spec, data)
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

    columns = {label: found for label in AXES if (found := _axis(spec, data, label))}
    shared = [name for name in rivals(spec, data) if all(name in c.numbers for c in columns.values())]
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


def draw_smoothness(spec: FigureSpec, data: Numbers) -> "Figure":
    """Histograms of the suite `smoothness`, of rightly classified images."""
    return histograms(spec, data, "smoothness", SMOOTHNESS)


def draw_margins(spec: FigureSpec, data: Numbers) -> "Figure":
    """Histograms of the suite `margin`: distances and output margins."""
    return histograms(spec, data, "margin", {"distance": "smallest perturbation", "margin": "output margin (logits)"})


def histograms(spec: FigureSpec, data: Numbers, suite: str, what: dict[str, str]) -> "Figure":
    """One panel a column of the suite's records, one outline a model."""
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


def draw_budgets(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against the budget."""
    names = set(rivals(spec, data))
    series, text = curves(data, [f for f in data.models if f.name in names], "eps")
    if not series:
        raise spec.missing(data)
    text += "Published: no number verified."
    return beside(spec, data, series, [], "budget eps (1/255)", "robust accuracy (%)", text)


def draw_steps(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against steps."""
    names = set(rivals(spec, data))
    series, text = curves(data, [f for f in data.models if f.name in names])
    if not series:
        raise spec.missing(data)
    return iterations(spec, data, series, [], f"{text}Published: no number verified.")


def draw_training(spec: FigureSpec, data: Numbers) -> "Figure":
    """Training loss over epochs as the cards log it, every seed of a training in one colour; then accuracy against the
    last loss."""
    told = {f.name: f for f in data.models if f.name in set(rivals(spec, data)) and adversarial(f)}
    logged = {name: f for name, f in told.items() if f.card and f.card.training.get("loss")}
    column = data.robust(list(logged))
    if not logged or column is None:
        raise spec.missing(data)
    figure, (left, right) = style.panels(2, height=2.7)
    for index, (name, facts) in enumerate(logged.items()):
        for number, loss in enumerate(seeds_of(facts)):
            epochs = range(1, len(loss) + 1)
            label = name if number == 0 else None
            left.plot(epochs, loss, color=style.colour(index), marker=style.marker(index), markersize=2.5, label=label)
            if number == 0 and name in column.numbers:
                found = column.numbers[name]
                ends = [(found.low, found.high)]
                style.measured(right, [loss[-1]], [found.value], ends, label=name, index=index)
    left.set_xlabel("epoch")
    left.set_ylabel("training loss")
    right.set_xlabel("loss of the last epoch")
    right.set_ylabel("robust accuracy (%)")
    style.legend(left, columns=2)
    text = f"{spec.title}: from the cards' logs, every seed. Measured: {column.about()}. Published: no number verified."
    style.caption(figure, text)
    return figure


def seeds_of(facts: Facts) -> list[list[float]]:
    """Loss by epoch, of each card that differs from the model's own in its seed alone; the model's own first."""
    own = replace(facts.traits, seed=None, parent="")
    alike = [c for c in cards().values() if replace(c.traits, seed=None, parent="") == own and c.training.get("loss")]
    alike.sort(key=lambda card: (card is not facts.card, card.name))
    return [[float(value) for value in card.training["loss"]] for card in alike]


NEEDS = ("images", "normalisation")

FIGURES = (
    FigureSpec(
        "nofrost-clean-robust",
        "Clean against robust accuracy",
        "2207.01156, abstract",
        "--model tiny_std,tiny_at,tiny_mix,tiny_gn,tiny_nofrost --suite tiny-pgd",
        draw_scatter,
        NEEDS,
    ),
    FigureSpec(
        "nofrost-attacks",
        "Robust accuracy attack by attack",
        "2207.01156, test.py",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite tiny-pgd,aa-fast --eps 8/255 --limit 100",
        draw_attacks,
        NEEDS,
    ),
    FigureSpec(
        "nofrost-radar",
        "Comprehensive robustness",
        "2207.01156, test.py",
        "--model tiny_std,tiny_at,tiny_mix,tiny_nofrost --suite tiny-pgd,tiny-c,tiny-a,tiny-stylized",
        draw_radar,
        NEEDS,
    ),
    FigureSpec(
        "nofrost-smoothness",
        "Smoothness around clean images",
        "2207.01156, abstract",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite smoothness --limit 500",
        draw_smoothness,
        NEEDS,
    ),
    FigureSpec(
        "nofrost-margins",
        "Decision margins",
        "2207.01156, abstract",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite margin --limit 200",
        draw_margins,
        NEEDS,
    ),
    FigureSpec(
        "nofrost-budgets",
        "Accuracy against the budget of the attack",
        "2207.01156",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite pgd --steps 20 --limit 200 --reliability 0 "
        "--eps 1/255,2/255,4/255,8/255,16/255",
        draw_budgets,
        NEEDS,
    ),
    FigureSpec(
        "nofrost-attack-iterations",
        "Accuracy against attack iterations",
        "2207.01156, test.py",
        "--model tiny_at,tiny_mix,tiny_nofrost --suite pgd --eps 8/255 --step-size 1/255 --limit 200 --reliability 0 "
        "--steps K (K of 5, 10, 20, 50, 100)",
        draw_steps,
        NEEDS,
    ),
    FigureSpec(
        "nofrost-training",
        "Training loss over epochs, and what it ends in",
        "no figure of the paper: evidence on the tiny zoo's reversal",
        "--model tiny_mix,tiny_gn,tiny_nofrost --suite tiny-pgd",
        draw_training,
        NEEDS,
    ),
)
