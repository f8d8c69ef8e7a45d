"""Figures of AdvProp (arXiv 1911.09665)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.base import FigureSpec, Series, bars, beside, of_column
from bench.figures.branches import draw_densities
from bench.figures.facts import GROWTH, Facts, differences, groups
from bench.figures.measured import Column, Numbers
from bench.metrics.accuracy import only
from bench.metrics.corruption import error_per_image
from bench.metrics.estimate import Estimate, mean_estimate
from bench.metrics.paired import compare
from bench.published.papers import ADVPROP, find, points, readings, sources
from bench.published.table import Published, published_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = tuple(f"B{i}" for i in range(9))
README = "README.md table, tensorflow/tpu"
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
TRAINING = ("images", "share", "separate", "role")
TOLD_APART = ("images", "share", "role")
"""Fields that the number of batch norms says shorter."""

MOST_PAIRS = 4


def kind(facts: Facts) -> str:
    """`vanilla` (clean images alone), `AdvProp` (the main branch of a network that also saw adversarial ones through a
    batch norm of their own), or neither."""
    if facts.traits.only == "clean" and not facts.traits.parent:
        return "vanilla"
    mixed = {"clean", "adversarial"} <= set(facts.traits.images)
    return "AdvProp" if mixed and facts.separate > 1 and facts.role == "clean" else ""


def efficientnet(facts: Facts) -> str:
    """`B0`, ... of an EfficientNet's published width and depth; empty for any other network."""
    scales = {"1 50": "B0", "1 70": "B1", "1.1 70": "B2", "1.2 79": "B3", "1.4 97": "B4"}
    scales |= {"1.6 117": "B5", "1.8 135": "B6", "2 164": "B7", "2.2 182": "B8"}
    shape = f"{facts.traits.width:g} {facts.traits.depth}"
    return scales.get(shape, "") if facts.traits.family == "efficientnet" else ""


def by_size(axes_title: str, rows: dict[str, list[Published]]) -> list[Series]:
    """Lines along B0 to B8, from rows whose `x` is the size."""
    return [
        Series(
            f"{name}{axes_title}", [float(SIZES.index(r.x)) for r in each], [r.number.value for r in each], line=True
        )
        for name, each in rows.items()
    ]


def released(*kinds: tuple[str, str, str]) -> dict[str, list[Published]]:
    """The README's numbers of the released EfficientNets by (label, kind, augmentation), `x` their size."""
    found: dict[str, list[Published]] = {}
    for row in published_table():
        if README not in row.number.source or row.number.metric != "accuracy":
            continue
        facts = Facts.of(row.card) if row.card else Facts(row.model)
        for label, wanted, augmentation in kinds:
            same = (kind(facts), facts.traits.augmentation) == (wanted, augmentation)
            if same and not facts.extra_data and efficientnet(facts):
                found.setdefault(label, []).append(_at(row, efficientnet(facts)))
    return {label: sorted(found[label], key=lambda r: r.x) for label, *_ in kinds if label in found}


def _at(row: Published, x: str) -> Published:
    return Published(row.model, row.number, row.paper, row.method, row.card, row.figure, x)


def draw_scaling(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy against size, with AdvProp and without; a line for each training."""
    told = [f for f in data.told(spec.needs) if kind(f) and f.parameters]
    column, series = data.clean([f.name for f in told]), []
    for index, label in enumerate(("vanilla", "AdvProp")):
        mine = [f for f in told if column and f.name in column.numbers and kind(f) == label]
        every = groups(mine, *GROWTH)
        for number, (group, text) in enumerate(zip(every, differences(every, *GROWTH, *TOLD_APART), strict=True)):
            names = [f.name for f in sorted(group, key=lambda f: f.parameters)]
            x = [f.parameters / 1e6 for f in sorted(group, key=lambda f: f.parameters)]
            title = ", ".join(filter(None, [label, text]))
            look = index + 2 * number
            if column:
                series.append(of_column(title, x, column, names, names=names, line=len(names) > 1, index=look))
    rows = points(spec.name)
    readme = released(
        ("vanilla with AutoAugment", "vanilla", "autoaugment"), ("AdvProp with AutoAugment", "AdvProp", "autoaugment")
    )
    used = [row for each in (*rows.values(), *readme.values()) for row in each]
    shown = by_size(", the paper", rows) + by_size(", README", readme)
    text = f"Measured: {column.about()}. " if column and series else ""
    text += f"Published: EfficientNets on ImageNet, {readings(used)} ({sources(used)})."
    figure = beside(spec, data, series, shown, "parameters (millions)", "clean accuracy (%)", text)
    figure.axes[-1].set_xticks(range(len(SIZES)), SIZES)
    figure.axes[-1].set_xlabel("EfficientNet")
    return figure


def pairs_of(told: Sequence[Facts]) -> list[tuple[Facts, Facts]]:
    """Each AdvProp model with the vanilla one that differs in its training images alone, or in epochs too: then the
    one that was trained longest."""
    found = []
    for after in (f for f in told if kind(f) == "AdvProp"):
        free = (*TRAINING, "attacker")
        alike = [f for f in told if kind(f) == "vanilla" and f.key((*free, "epochs")) == after.key((*free, "epochs"))]
        if alike:
            found.append((max(alike, key=lambda f: f.traits.epochs), after))
    return found


def draw_distorted(spec: FigureSpec, data: Numbers) -> "Figure":
    """What AdvProp gains over vanilla training, set by set; a colour for each pair of networks."""
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


def _shared(data: Numbers, suites: Sequence[tuple[str, str]], *pair: Facts) -> Column | None:
    """The first suite's column that has both models."""
    names = [f.name for f in pair]
    found = (data.metric(names, (suite,), metric) for suite, metric in suites)
    return next((column for column in found if column and len(column.numbers) == len(names)), None)


def gain_of(data: Numbers, column: Column, before: str, after: str) -> Estimate:
    """The paired difference of accuracy over the images that both models share, in [0, 1]."""
    frames = [data.frames(model, column) for model in (after, before)]
    if column.metric == "mean_error":
        better, worse = (error_per_image(each) for each in frames)
        return mean_estimate((worse - better).dropna().to_numpy(dtype=float))
    found = compare(*(only(each) for each in frames))
    return Estimate(found.difference, found.low, found.high, found.n)


def draw_main_and_auxiliary(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy of the main and the adversarial branch of each network."""
    told = [f for f in data.told(spec.needs) if f.role in ("clean", "adversarial") and f.branch]
    column = data.clean([f.name for f in told])
    found: dict[str, dict[str, str]] = {}
    for f in told:
        if column and f.name in column.numbers:
            found.setdefault(f.name.rpartition("@")[0], {})[f.role] = f.name
    whole = sorted(base for base, branches in found.items() if len(branches) == 2)
    if column is None or not whole:
        raise spec.missing(data)
    figure, (axes,) = style.panels(1, height=2.4, width=style.TWO_COLUMNS if len(whole) > 4 else style.ONE_COLUMN)
    series = [
        of_column(label, (), column, [found[base][role] for base in whole])
        for label, role in (("main batch norm", "clean"), ("auxiliary batch norm", "adversarial"))
    ]
    bars(axes, whole, series, "clean accuracy (%)", "measured")
    style.legend(axes, columns=2, bbox_to_anchor=(0.5, 1.0), loc="lower center")
    axes.set_title("")
    style.caption(figure, f"{spec.title}. Measured: {column.about()}. Published: no number verified.")
    return figure


def draw_attackers(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy of the main branch against the budget of the attacker in training."""
    told = [f for f in data.told(spec.needs) if kind(f) == "AdvProp" and f.separate == 2 and _is_pgd(f)]
    column, series = data.clean([f.name for f in told]), []
    kept = [f for f in told if column and f.name in column.numbers]
    every = [group for group in groups(kept, "attacker") if len({str(f.traits.attacker) for f in group}) > 1]
    for group, text in zip(every, differences(every, "attacker"), strict=True):
        ordered = sorted(group, key=_eps)
        if column:
            names = [f.name for f in ordered]
            series.append(of_column(text or "main branch", [_eps(f) for f in ordered], column, names, line=True))
    if not series or column is None:
        raise spec.missing(data)
    text = f"Measured: {column.about()}. Published: no number verified."
    figure = beside(spec, data, series, [], "attacker's eps (1/255)", "clean accuracy (%)", text)
    figure.axes[0].set_xticks(sorted({x for one in series for x in one.x}))
    return figure


def _is_pgd(f: Facts) -> bool:
    return f.traits.attacker is not None and f.traits.attacker.method == "pgd"


def _eps(f: Facts) -> float:
    return f.traits.attacker.radius if f.traits.attacker else 0.0


def draw_single(spec: FigureSpec, data: Numbers) -> "Figure":
    """The auxiliary batch norm against one batch norm for both, clean."""
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


def draw_fine_tuning(spec: FigureSpec, data: Numbers) -> "Figure":
    """Adversarial training, then fine-tuning on clean images, beside both trainings alone."""
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


def by_network(spec: FigureSpec, column: Column | None, series: Sequence[tuple[str, list[str]]]) -> "Figure":
    """Bars of clean accuracy, a group a network and a bar a training; beside them the figure's published points."""
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


def draw_variants(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy of everything that may help a network alike: augmentation, more branches, other attackers."""
    told = [f for f in data.told(spec.needs) if kind(f)]
    free = (*TRAINING, "attacker", "augmentation", "epochs")
    every = [group for group in groups(told, *free) if any(kind(f) == "AdvProp" for f in group)]
    column = data.clean([f.name for group in every for f in group])
    kept = [[f for f in group if column and f.name in column.numbers] for group in every]
    largest: list[Facts] = max(kept, key=len) if kept else []
    names = [f.name for f in sorted(largest, key=lambda f: (f.separate, f.name))]
    figure, axes = style.panels(2, height=2.9)
    if column and len(names) > 1:
        bars(axes[0], names, [of_column("main branch", (), column, names)], "clean accuracy (%)", "measured")
        axes[0].set_ylim(bottom=max(0.0, min(column.numbers[n].low for n in names) - 5))
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    rows = released(
        ("flips and crops", "vanilla", "none"),
        ("AutoAugment", "vanilla", "autoaugment"),
        ("AdvProp and AutoAugment", "AdvProp", "autoaugment"),
    )
    for index, one in enumerate(by_size("", rows)):
        style.published(axes[1], one.x, one.y, label=one.label, index=index, line=True)
    axes[1].set_xticks(range(len(SIZES)), SIZES)
    axes[1].set_xlabel("EfficientNet")
    axes[1].set_ylabel("clean accuracy (%)")
    axes[1].set_title("published")
    style.legend(axes[1])
    used = [row for each in rows.values() for row in each]
    about = f"Measured, the axis does not begin at 0: {column.about()}. " if column and len(names) > 1 else ""
    style.caption(figure, f"{spec.title}. {about}Published: ImageNet ({sources(used)}).")
    return figure


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
"""Whose numbers of which data set are subtracted: AdvProp with AutoAugment less AutoAugment alone."""


def draw_again(spec: FigureSpec, data: Numbers) -> "Figure":  # noqa: ARG001
    """What AdvProp gains by its authors' numbers, and by what others measured of the same released weights."""
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


NEEDS = ("images",)

FIGURES = (
    FigureSpec(
        "advprop-scaling",
        "Clean accuracy against size",
        "1911.09665, Figures 1 and 4",
        "--model tiny_std_long,tiny_advprop@clean,tiny_advprop_deep@clean --suite tiny",
        draw_scaling,
        NEEDS,
    ),
    FigureSpec(
        "advprop-fine-tuning",
        "Adversarial training, then fine-tuning on clean images",
        "1911.09665, Figure 2",
        "--model tiny_std,tiny_at,tiny_advprop_tuned --suite tiny",
        draw_fine_tuning,
        NEEDS,
    ),
    FigureSpec(
        "advprop-distorted-sets",
        "What AdvProp gains on distorted sets",
        "1911.09665, Table of distorted sets",
        "--model tiny_std_long,tiny_advprop@clean --suite tiny-c,tiny-a,tiny-stylized",
        draw_distorted,
        NEEDS,
    ),
    FigureSpec(
        "advprop-remeasured",
        "What AdvProp gains, by its authors and as others measured it",
        "1911.09665, Figure 1 and its table of distorted sets",
        "",
        draw_again,
    ),
    FigureSpec(
        "advprop-single-batch-norm",
        "Auxiliary batch norm against one for both",
        "1911.09665, Figure 5",
        "--model tiny_advprop_single,tiny_advprop@clean --suite tiny",
        draw_single,
        NEEDS,
    ),
    FigureSpec(
        "advprop-main-auxiliary",
        "Main against auxiliary batch norm",
        "1911.09665",
        "--model tiny_advprop@clean,tiny_advprop@adv --suite tiny",
        draw_main_and_auxiliary,
        NEEDS,
    ),
    FigureSpec(
        "advprop-attacker-strength",
        "Clean accuracy against the strength of the attacker in training",
        "1911.09665",
        "--model tiny_advprop_eps1@clean,tiny_advprop@clean,tiny_mbn@clean --suite tiny",
        draw_attackers,
        (*NEEDS, "attacker"),
    ),
    FigureSpec(
        "advprop-variants",
        "AutoAugment, more branches and other attackers",
        "1911.09665",
        "--model tiny_std_long,tiny_advprop@clean,tiny_advprop_fine@clean --suite tiny",
        draw_variants,
        NEEDS,
    ),
    FigureSpec(
        "advprop-densities",
        "Densities of the two domains in one channel",
        "1911.09665",
        "--model tiny_advprop@clean --suite tiny",
        draw_densities,
    ),
)
