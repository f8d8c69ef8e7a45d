"""Figures of Intriguing Properties of Adversarial Training at Scale (arXiv 1906.03787)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.attacks.presets import SHORT
from bench.figures import style
from bench.figures.base import FigureSpec, Series, bars, beside, clean_and_robust, of_column
from bench.figures.branches import draw_branch_statistics
from bench.figures.facts import Facts, differences, groups
from bench.figures.flops import multiply_adds_of_resnet
from bench.figures.measured import Column, Numbers
from bench.published.papers import FEATURE_DENOISING, find, points, readings, sources
from bench.published.table import Published

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEASER = "teaser.jpg"
"""Feature Denoising's first figure, whose ResNet-152 is trained as this paper's is: adversarial images alone."""

TEASER_CURVES = {
    "ResNet-101 baseline": "ResNet-101, adversarial images alone",
    "intriguing_resnet152_denoise": "ResNet-152 denoise",
    "Inception-v3 ALP": "Inception-v3 ALP",
}
"""Its models in the table whose curves this paper does not have, and what the legend calls them."""

STEPS = "tiny_at,tiny_mix,tiny_mbn@adv,tiny_gn --suite pgd --eps 8/255 --step-size 1/255 --limit 200 --reliability 0"

MIXTURE = ("images", "share", "normalisation", "separate", "role", "consistent", "objective")
"""What these figures compare: the mixture of images, and what normalises them."""


def adversarial(facts: Facts) -> bool:
    """Whether adversarial images are among those that it was trained on."""
    return "adversarial" in facts.traits.images


def draw_clean_share(spec: FigureSpec, data: Numbers) -> "Figure":
    """One point a model, a line for each set of models that differ in the share of clean images alone."""
    free = ("images", "share")
    told = [f for f in data.told(spec.needs) if f.share is not None and f.separate == 1]
    plain = [f for f in told if f.traits.normalisation == "batch" and "augmented" not in f.traits.images]
    column = data.robust([f.name for f in plain])
    series = lines(column, plain, free, lambda f: f.share, "one batch norm")
    shown = [
        Series(f"{name}, PGD-2000 targeted, eps 16/255", [float(r.x) for r in rows], values(rows), line=True)
        for name, rows in points(spec.name).items()
    ]
    rows = [row for each in points(spec.name).values() for row in each]
    text = f"{about(column, series)}Published: ImageNet, {readings(rows)} ({sources(rows)})."
    figure = beside(spec, data, series, shown, "clean images (% of the adversarial ones)", "robust accuracy (%)", text)
    for axes in figure.axes:
        axes.set_xlim(-8, 108)
    return figure


def values(rows: Sequence[Published]) -> list[float]:
    """The numbers of published rows."""
    return [row.number.value for row in rows]


def about(column: Column | None, series: Sequence[Series]) -> str:
    """Say under what the drawn series were measured; nothing where there are none."""
    return f"Measured: {column.about()}. " if column and series else ""


def lines(
    column: Column | None, models: Sequence[Facts], free: Sequence[str], x: Callable[[Facts], float | None], label: str
) -> list[Series]:
    """Draw a line for each group of measured models that differ in `free` alone and have two places along `x`."""
    places = {f.name: place for f in models if column and f.name in column.numbers and (place := x(f)) is not None}
    found = groups([f for f in models if f.name in places], *free)
    several = [group for group in found if len({places[f.name] for f in group}) > 1]
    series = []
    for group, told in zip(several, differences(several, *free), strict=True):
        names = sorted((f.name for f in group), key=lambda name: places[name])
        if column:
            title = ", ".join(filter(None, [label, told]))
            series.append(of_column(title, [places[n] for n in names], column, names, names=names, line=True))
    return series


def curves(data: Numbers, models: Sequence[Facts], along: str = "steps") -> tuple[list[Series], str]:
    """Robust accuracy along the attack's `steps` or `eps` (in 1/255): of the attacks that differ in it alone, those
    with most models."""
    names = {facts.name for facts in models}
    kinds: dict[object, list[Column]] = {}
    for c in data.columns:
        attack = c.attack
        if attack is None or c.family != "pgd" or attack.through or not names & c.numbers.keys():
            continue
        # The step size belongs to the budget: papers change both together. `short` only says that they do not fit.
        told = tuple(word for word in attack.words if word != SHORT)
        alike = replace(attack, step_size=None, words=told)
        fixed = replace(alike, steps=None) if along == "steps" else replace(alike, eps=Fraction(1))
        kinds.setdefault((c.dataset, str(fixed), c.n), []).append(c)
    place = {
        id(c): float(c.steps if along == "steps" else 255 * c.attack.eps) for g in kinds.values() for c in g if c.attack
    }
    several = [group for group in kinds.values() if len({place[id(c)] for c in group}) > 1]
    if not several:
        return [], ""
    group = sorted(
        max(several, key=lambda g: sum(len(names & c.numbers.keys()) for c in g)), key=lambda c: place[id(c)]
    )
    widest = sorted(group, key=lambda c: len(names & c.numbers.keys()))  # of two at one place the wider stays
    group = sorted({place[id(c)]: c for c in widest}.values(), key=lambda c: place[id(c)])
    series = []
    for name in sorted(names & set().union(*(c.numbers for c in group))):
        mine = [c for c in group if name in c.numbers]
        if len(mine) == 1:  # a point is no curve
            continue
        numbers = [c.numbers[name] for c in mine]
        ends = [(n.low, n.high) for n in numbers]
        series.append(Series(name, [place[id(c)] for c in mine], [n.value for n in numbers], ends, line=True))
    return series, f"Measured: {group[-1].about()} and {len(group) - 1} of other {along}. "


def draw_iterations(spec: FigureSpec, data: Numbers) -> "Figure":
    """One curve a training strategy."""
    told = [f for f in data.told(spec.needs) if adversarial(f)]
    found = groups(told, *MIXTURE)
    series, text = curves(data, told if data.asked else found[0] if found else [])
    shown, used = [], []
    for name, rows in points(spec.name).items():
        used += rows
        shown.append(Series(f"ResNet-152, {name}", [float(r.x) for r in rows], values(rows), line=True))
    for model, label in TEASER_CURVES.items():
        rows = [r for r in find(FEATURE_DENOISING, "robust_accuracy", source=TEASER) if r.model == model]
        used += rows
        shown.append(Series(label, [float(row.number.steps) for row in rows], values(rows), line=True))
    text += f"Published: PGD, targeted, eps 16/255, ImageNet, {readings(used)} ({sources(used)})."
    return iterations(spec, data, series, shown, text)


def iterations(
    spec: FigureSpec, data: Numbers, measured: Sequence[Series], published: Sequence[Series], text: str
) -> "Figure":
    """Accuracy against steps in both panels, the steps written out."""
    figure = beside(spec, data, measured, published, "attack iterations", "robust accuracy (%)", text)
    for axes, series in zip(figure.axes, (measured, published), strict=False):
        if series:
            style.count_axis(axes, (x for one in series for x in one.x))
    return figure


def draw_depth(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean and robust accuracy against multiply-adds, of networks that differ in depth alone."""
    told = [f for f in data.told(spec.needs) if f.separate == 1 and f.traits.only]
    series, texts = [], []
    for images, label, column in (
        ("adversarial", "adversarial training, under attack", data.robust([f.name for f in told])),
        ("adversarial", "adversarial training, clean", data.clean([f.name for f in told])),
        ("clean", "clean training, clean", data.clean([f.name for f in told])),
    ):
        kind = [f for f in told if f.traits.only == images]
        found = lines(column, kind, ("depth",), lambda f: f.flops and f.flops / 1e9, label)
        series += found
        texts += [column.about()] if found and column else []
    shown, used = [], []
    for name, rows in points(spec.name).items():
        used += rows
        x = [multiply_adds_of_resnet(int(r.x)) / 1e9 for r in rows]
        shown.append(Series(name, x, values(rows), names=[f"ResNet-{r.x}" for r in rows], line=True))
    measured = f"Measured: {'; '.join(dict.fromkeys(texts))}. " if texts else ""
    text = (
        f"{measured}Published: ImageNet, PGD-2000 targeted, eps 16/255, {readings(used)} ({sources(used)}). "
        "Multiply-adds are counted from the networks."
    )
    return beside(spec, data, series, shown, "multiply-adds (G)", "accuracy (%)", text)


def draw_normalisation(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of clean and robust accuracy of models that differ in the mixture and its normalisation alone."""
    told = [f for f in data.told(spec.needs) if adversarial(f) and "augmented" not in f.traits.images]
    found = groups(told, *MIXTURE)
    return clean_and_robust(spec, data, [f.name for f in (told if data.asked else found[0] if found else [])])


def draw_consistent(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of pairs that differ in nothing but the statistics of the last epochs."""
    found = groups(data.told(spec.needs), "consistent")
    pairs = [group for group in found if len({f.traits.consistent for f in group}) == 2]
    names = [f.name for group in pairs for f in sorted(group, key=lambda f: f.traits.consistent)]
    return clean_and_robust(spec, data, names)


PLACES = ("clean", "under attack")


def _names(data: Numbers) -> list[str]:
    return [facts.name for facts in data.models]


def mixtures(
    spec: FigureSpec, data: Numbers, columns: Mapping[str, Column | None]
) -> Iterator[tuple[dict[str, Facts], dict[str, Facts]]]:
    """Networks of one kind trained on each sort of images alone, and the branches of one trained on both, by images;
    each measured in the column of its images."""

    def measured(facts: Facts, role: str) -> bool:
        column = columns.get(role)
        return column is not None and facts.name in column.numbers

    free = [field for field in (*MIXTURE, "attacker") if field != "consistent"]
    for group in groups(data.told(spec.needs), *free):
        alone = {f.traits.only: f for f in group if f.traits.only and f.separate == 1 and measured(f, f.traits.only)}
        bases: dict[str, dict[str, Facts]] = {}
        for f in group:
            if f.separate == 2 and f.role and measured(f, f.role):
                bases.setdefault(f.name.rpartition("@")[0], {})[f.role] = f
        mixed = [branches for branches in bases.values() if len(branches) == len(columns)]
        # Of several, the one whose attacker is that of the network trained on adversarial images alone.
        mixed.sort(
            key=lambda b: b["adversarial"].traits.attacker != alone.get("adversarial", Facts("")).traits.attacker
        )
        if mixed and len(alone) == len(columns):
            yield {role: alone[role] for role in columns}, {role: mixed[0][role] for role in columns}


def draw_mixture(spec: FigureSpec, data: Numbers) -> "Figure":
    """Each branch of a mixture beside the network trained on its images alone."""
    columns = {"clean": data.clean(_names(data)), "adversarial": data.robust(_names(data))}
    series, texts = [], [c.about() for c in columns.values() if c]
    for alone, mixed in mixtures(spec, data, columns):
        for label, of in (("one batch norm, these images alone", alone), ("its branch of the mixture", mixed)):
            numbers = [column.numbers[of[role].name] for role, column in columns.items() if column]
            ends = [(n.low, n.high) for n in numbers]
            series.append(Series(label, (), [n.value for n in numbers], ends))
        texts.append(f"{', '.join(f.name for f in (*alone.values(), *mixed.values()))}")
        break
    figure, axes = style.panels(2, height=2.9)
    if len(series) == 2:
        bars(axes[0], PLACES, series, "accuracy (%)", "measured")
        style.legend(axes[0])
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    rows = [row for each in points(spec.name).values() for row in each]
    by_place = {(row.method, row.x): row.number.value for row in rows}
    alone_shown = [by_place["one batch norm, clean images alone", "clean"]]
    alone_shown.append(by_place["one batch norm, adversarial images alone", "under attack"])
    shown = [Series("one batch norm, these images alone", (), alone_shown)]
    shown += [
        Series(f"its branch of the {name}", (), [by_place[name, x] for x in PLACES])
        for name in ("mixture", "mixture with ALP")
    ]
    bars(axes[1], PLACES, shown, "accuracy (%)", "published", hollow=True)
    style.legend(axes[1])
    measured = f"Measured: {'; '.join(texts)}. " if series else ""
    style.caption(
        figure,
        f"{spec.title}. {measured}Published: ResNet-152, ImageNet, PGD-2000 targeted, eps 16/255, {readings(rows)} "
        f"({sources(rows)}).",
    )
    return figure


FIGURES = (
    FigureSpec(
        "intriguing-clean-share",
        "Robust accuracy against the share of clean training images",
        "1906.03787, Figure 1",
        "--model tiny_at,tiny_mix --suite tiny-pgd",
        draw_clean_share,
        ("images", "normalisation"),
    ),
    FigureSpec(
        "intriguing-attack-iterations",
        "Accuracy against attack iterations",
        "1906.03787; 1812.03411, Figure 1",
        f"--model {STEPS} --steps K (K of 5, 10, 20, 50, 100)",
        draw_iterations,
        ("images",),
    ),
    FigureSpec(
        "intriguing-mixture-batch-norm",
        "A batch norm for each kind of image",
        "1906.03787, tables of mixture BN",
        "--model tiny_std,tiny_at,tiny_mbn@clean,tiny_mbn@adv --suite tiny-pgd",
        draw_mixture,
        ("images", "normalisation"),
    ),
    FigureSpec(
        "intriguing-consistent-batch-norm",
        "Running statistics in the last epochs of training",
        "1906.03787",
        "--model tiny_at,tiny_at_frozen --suite tiny-pgd",
        draw_consistent,
        ("images", "normalisation"),
    ),
    FigureSpec(
        "intriguing-depth",
        "Accuracy against depth",
        "1906.03787",
        "--model tiny_at,tiny_at_deep --suite tiny-pgd",
        draw_depth,
        ("images", "depth"),
    ),
    FigureSpec(
        "intriguing-normalisation",
        "Normalisation of joint training, and adversarial training alone",
        "1906.03787",
        "--model tiny_at,tiny_mix,tiny_mbn@clean,tiny_mbn@adv,tiny_gn --suite tiny-pgd",
        draw_normalisation,
        ("images", "normalisation"),
    ),
    FigureSpec(
        "intriguing-branch-statistics",
        "Batch norm of the clean and the adversarial branch",
        "1906.03787",
        "--model tiny_mbn@clean,tiny_advprop@clean --suite tiny",
        draw_branch_statistics,
    ),
)
