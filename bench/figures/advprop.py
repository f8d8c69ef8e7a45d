"""Figures of AdvProp (arXiv 1911.09665)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.base import FigureSpec, Series, bars, beside, of_column
from bench.figures.measured import Column, Facts, Numbers
from bench.metrics.accuracy import only
from bench.metrics.corruption import error_per_image
from bench.metrics.estimate import Estimate, mean_estimate
from bench.metrics.paired import compare
from bench.published.papers import ADVPROP, find, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = tuple(f"B{i}" for i in range(9))
README = "README.md table, tensorflow/tpu"
DISTORTED = {
    "ImageNet-C": (("tiny-c", "imagenet-c", "imagenet-c-live"), "mean_error"),
    "ImageNet-A": (("tiny-a",), "accuracy"),
    "Stylized": (("tiny-stylized", "stylized"), "accuracy"),
}
"""Suites in order of preference, and their metric."""

ABSTRACT = {
    "ImageNet-C": ("imagenet-c", "mce_reduction"),
    "ImageNet-A": ("imagenet-a", "accuracy_gain"),
    "Stylized": ("stylized", "accuracy_gain"),
}


def role(facts: Facts) -> str:
    """Vanilla, AdvProp (its main branch), or neither."""
    if facts.recipe:
        name = facts.recipe.name.removesuffix("_deep")
        return {"std_long": "vanilla", "advprop": "AdvProp" if facts.branch in ("", "clean") else ""}.get(name, "")
    if facts.method != "advprop":
        return ""
    return "AdvProp" if facts.name.startswith("advprop_") and facts.branch in ("", "clean", "main") else "vanilla"


def size(facts: Facts) -> float:
    """Parameters in one branch, in thousands."""
    return facts.card.parameters / 1000 if facts.card else 0.0


def kind(card: str) -> str:
    """`advprop`, `autoaugment` or neither, of a released EfficientNet's card."""
    return "advprop" if card.startswith("advprop_") else "autoaugment" if card.endswith("_autoaugment") else ""


def draw_scaling(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy against size, with AdvProp and without."""
    roles = {f.name: f for f in data.models if role(f)}
    column, series = data.clean(roles), []
    numbers = column.numbers if column else {}
    for index, label in enumerate(("vanilla", "AdvProp")):
        names = sorted((n for n in numbers if role(roles[n]) == label), key=lambda n: size(roles[n]))
        if column and names:
            x = [size(roles[n]) for n in names]
            series.append(of_column(label, x, column, names, names=names, line=True, index=index))
    shown, used = [], []
    for label, method in (("vanilla", "autoaugment"), ("AdvProp", "advprop")):
        rows = [r for r in find(ADVPROP, "accuracy", source=README) if kind(r.card) == method]
        used += rows
        x = [float(SIZES.index(r.model.partition("efficientnet_")[2][:2].upper())) for r in rows]
        shown.append(Series(label, x, [r.number.value for r in rows], line=True))
    text = f"Measured: {column.about()}. " if column else ""
    text += f"Published: EfficientNets with AutoAugment on ImageNet ({sources(used)})."
    figure = beside(spec, data, series, shown, "parameters (thousands)", "clean accuracy (%)", text)
    figure.axes[1].set_xticks(range(len(SIZES)), SIZES)
    figure.axes[1].set_xlabel("EfficientNet")
    return figure


def draw_distorted(spec: FigureSpec, data: Numbers) -> "Figure":
    """What AdvProp gains over vanilla training, set by set."""
    pair = [next((f.name for f in data.models if role(f) == label), "") for label in ("vanilla", "AdvProp")]
    columns = {
        group: column
        for group, (suites, metric) in DISTORTED.items()
        if (column := data.metric(pair, suites, metric)) and len(column.numbers) == 2
    }
    gains = [gain_of(data, column, *pair) for column in columns.values()]
    rows = [find(ADVPROP, metric, model="B7", dataset=dataset)[0] for dataset, metric in ABSTRACT.values()]
    figure, axes = style.panels(2, height=2.4)
    if gains:
        intervals = [(100 * gain.low, 100 * gain.high) for gain in gains]
        one = Series(f"{pair[1]} less {pair[0]}", (), [100 * gain.value for gain in gains], intervals)
        bars(axes[0], [column.suite for column in columns.values()], [one], "gain (points)", "measured")
        style.legend(axes[0])
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    published = [Series("EfficientNet-B7", (), [r.number.value for r in rows])]
    bars(axes[1], list(ABSTRACT), published, "gain (points)", "published", hollow=True)
    style.legend(axes[1])
    abouts = "; ".join(column.about() for column in columns.values())
    told = f"Measured (C by its mean error), with the paired difference's 95 % interval: {abouts}. " if gains else ""
    style.caption(figure, f"{spec.title}. {told}Published: {sources(rows)}; C by its mCE.")
    return figure


def gain_of(data: Numbers, column: Column, before: str, after: str) -> Estimate:
    """The paired difference of accuracy over the images that both models share, in [0, 1]."""
    frames = [data.frames(model, column) for model in (after, before)]
    if column.metric == "mean_error":
        better, worse = (error_per_image(each) for each in frames)
        return mean_estimate((worse - better).dropna().to_numpy(dtype=float))
    found = compare(*(only(each) for each in frames))
    return Estimate(found.difference, found.low, found.high, found.n)


def draw_main_and_auxiliary(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy of the two branches of each network."""
    names = {f.name for f in data.models if f.method == "advprop" and f.branch in ("clean", "adv", "main", "aux")}
    return side_by_side(spec, data, data.clean(names), lambda branch: branch in ("clean", "main"))


def side_by_side(spec: FigureSpec, data: Numbers, column: Column | None, main: Callable[[str], bool]) -> "Figure":
    """A pair of bars a network: its main branch, its auxiliary one."""
    found: dict[str, dict[bool, str]] = {}
    for name in column.numbers if column else ():
        base, _, branch = name.partition("@")
        found.setdefault(base, {})[main(branch)] = name
    whole = sorted(base for base, branches in found.items() if len(branches) == 2)
    if column is None or not whole:
        raise spec.missing(data)
    figure, (axes,) = style.panels(1, height=2.4)
    series = [
        of_column(label, (), column, [found[base][is_main] for base in whole])
        for label, is_main in (("main batch norm", True), ("auxiliary batch norm", False))
    ]
    bars(axes, whole, series, "clean accuracy (%)", "measured")
    style.legend(axes, columns=2, bbox_to_anchor=(0.5, 1.0), loc="lower center")
    axes.set_title("")
    style.caption(figure, f"{spec.title}. Measured: {column.about()}. Published: no number verified.")
    return figure


def draw_attackers(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy of the main branch against the budget of the attacker in training."""

    def eps(facts: Facts) -> float:
        return 255 * facts.recipe.attacker.eps if facts.recipe else 0.0

    def kept(facts: Facts) -> bool:
        name = facts.recipe.name if facts.recipe else ""
        wanted = {"advprop", "advprop_eps1", "mbn", "advprop_deep", "advprop_eps1_deep", "mbn_deep"}
        return name in wanted and facts.branch in ("", "clean")

    models = {f.name: f for f in data.models if kept(f)}
    column, series = data.clean(models), []
    for depth in sorted({f.depth or 0 for f in models.values()}):
        names = sorted(
            (n for n in (column.numbers if column else ()) if models[n].depth == depth), key=lambda n: eps(models[n])
        )
        if column and len(names) > 1:
            series.append(of_column(f"{depth} layers", [eps(models[n]) for n in names], column, names, line=True))
    if not series or column is None:
        raise spec.missing(data)
    text = f"Measured: {column.about()}. Published: no number verified."
    figure = beside(spec, data, series, [], "attacker's eps (1/255)", "clean accuracy (%)", text)
    figure.axes[0].set_xticks(sorted({x for one in series for x in one.x}))
    return figure


def draw_single(spec: FigureSpec, data: Numbers) -> "Figure":
    """The auxiliary batch norm against one batch norm for both, clean."""
    wanted = ("std_long", "advprop_single", "advprop_tuned", "advprop")
    names = [
        f.name
        for recipe in wanted
        for f in data.models
        if f.recipe and f.recipe.name == recipe and f.branch in ("", "clean")
    ]
    column = data.clean(names)
    kept = [name for name in names if column and name in column.numbers]
    if column is None or not _has(kept, "advprop_single", "advprop@clean"):
        raise spec.missing(data)
    figure, (axes,) = style.panels(1, height=2.4)
    bars(axes, [n.replace("_", " ") for n in kept], [of_column("clean", (), column, kept)], "clean accuracy (%)", "")
    axes.set_ylim(bottom=max(0.0, min(column.numbers[n].low for n in kept) - 5), top=100)
    style.caption(
        figure,
        f"{spec.title}; the axis does not begin at 0. Measured: {column.about()}. Published: no number verified.",
    )
    return figure


def _has(names: Sequence[str], *ends: str) -> bool:
    return all(any(name.endswith(end) for name in names) for end in ends)


FIGURES = (
    FigureSpec(
        "advprop-scaling",
        "Clean accuracy against size",
        "1911.09665, Figure 1",
        "--model tiny_std_long,tiny_advprop@clean,tiny_advprop_deep@clean --suite tiny",
        draw_scaling,
    ),
    FigureSpec(
        "advprop-distorted-sets",
        "What AdvProp gains on distorted sets",
        "1911.09665, Table of distorted sets",
        "--model tiny_std_long,tiny_advprop@clean --suite tiny-a,tiny-stylized",
        draw_distorted,
    ),
    FigureSpec(
        "advprop-main-auxiliary",
        "Main against auxiliary batch norm",
        "1911.09665",
        "--model tiny_advprop@clean,tiny_advprop@adv --suite tiny",
        draw_main_and_auxiliary,
    ),
    FigureSpec(
        "advprop-attacker-strength",
        "Clean accuracy against the strength of the attacker in training",
        "1911.09665",
        "--model tiny_advprop_eps1@clean,tiny_advprop@clean,tiny_mbn@clean --suite tiny",
        draw_attackers,
    ),
    FigureSpec(
        "advprop-single-batch-norm",
        "Auxiliary batch norm against one for both",
        "1911.09665",
        "--model tiny_std_long,tiny_advprop_single,tiny_advprop_tuned,tiny_advprop@clean --suite tiny",
        draw_single,
    ),
)
