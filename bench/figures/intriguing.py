"""Figures of Intriguing Properties of Adversarial Training at Scale (arXiv 1906.03787)."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from bench.figures import style
from bench.figures.base import FigureSpec, Series, bars, beside, of_column
from bench.figures.measured import Column, Facts, Numbers
from bench.published.papers import FEATURE_DENOISING, find, sources
from model_zoo.load import load_model
from model_zoo.nets.normalisation import branched_layers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEASER = "teaser.jpg"
"""Feature Denoising's first figure, whose ResNet-152 is trained as this paper's is: adversarial images alone."""

TEASER_CURVES = {
    "ResNet-101 baseline": "ResNet-101 baseline",
    "ResNet-152 baseline": "intriguing_resnet152",
    "ResNet-152 denoise": "intriguing_resnet152_denoise",
    "Inception-v3 ALP": "Inception-v3 ALP",
}
"""Its curves, and their models in the table."""

STEPS = "tiny_at,tiny_mix,tiny_mbn@adv,tiny_gn --suite pgd --eps 8/255 --step-size 1/255 --limit 200 --reliability 0"


def clean_share(facts: Facts) -> float | None:
    """Clean pictures in percent of the adversarial ones, of a tiny model of one batch norm."""
    recipe = facts.recipe
    if not recipe or recipe.net.norm != "batch" or recipe.net.branches or "adversarial" not in recipe.domains:
        return None
    plain = recipe.method == "intriguing" and "augmented" not in recipe.domains and not recipe.freeze
    usual = recipe.net.blocks == (1, 1, 1) and recipe.attacker.eps == 8 / 255
    return 100 * recipe.domains.count("clean") / recipe.domains.count("adversarial") if plain and usual else None


def draw_clean_share(spec: FigureSpec, data: Numbers) -> "Figure":
    """One point a model."""
    shares = {f.name: share for f in data.models if (share := clean_share(f)) is not None}
    column, series = data.robust(shares), []
    if column and len({shares[name] for name in column.numbers}) > 1:
        names = sorted(column.numbers, key=lambda name: shares[name])
        series = [of_column("one batch norm", [shares[n] for n in names], column, names, names=names, line=True)]
    rows = find(FEATURE_DENOISING, "robust_accuracy", model="intriguing_resnet152", steps=2000)[:1]
    shown = [Series("ResNet-152, PGD-2000 targeted, eps 16/255", [0.0], [row.number.value for row in rows])]
    text = (f"Measured: {column.about()}. " if column and series else "") + (
        f"Published: Feature Denoising's ResNet-152, trained on adversarial images alone ({sources(rows)}). "
        "The abstract of 1906.03787 says that removing clean images gains 18.3 points."
    )
    figure = beside(spec, data, series, shown, "clean images (% of the adversarial ones)", "robust accuracy (%)", text)
    for axes in figure.axes:
        axes.set_xlim(-8, 108)
    return figure


def curves(data: Numbers, wanted: Callable[[Facts], bool]) -> tuple[list[Series], str]:
    """Robust accuracy against steps: of the attacks that differ in steps alone, those with most models."""
    names = {facts.name for facts in data.models if wanted(facts)}
    kinds: dict[tuple[str, str, Fraction, bool | None, int], list[Column]] = {}
    for c in data.columns:
        attack = c.attack
        if attack and attack.steps and attack.family == "pgd" and not attack.through and names & c.numbers.keys():
            kind = (c.dataset, attack.norm, attack.eps, attack.targeted, c.n)
            kinds.setdefault(kind, []).append(c)
    several = [group for group in kinds.values() if len({c.steps for c in group}) > 1]
    if not several:
        return [], ""
    group = sorted(max(several, key=lambda g: sum(len(names & c.numbers.keys()) for c in g)), key=lambda c: c.steps)
    group = list({c.steps: c for c in group}.values())
    series = []
    for name in sorted(names & set().union(*(c.numbers for c in group))):
        mine = [c for c in group if name in c.numbers]
        numbers = [c.numbers[name] for c in mine]
        series.append(
            Series(
                name, [c.steps for c in mine], [n.value for n in numbers], [(n.low, n.high) for n in numbers], line=True
            )
        )
    return series, f"Measured: {group[-1].about()} and {len(group) - 1} with fewer steps. "


def draw_iterations(spec: FigureSpec, data: Numbers) -> "Figure":
    """One curve a training strategy."""
    series, about = curves(data, lambda f: f.method in ("intriguing", "standard"))
    shown, used = [], []
    for label, model in TEASER_CURVES.items():
        rows = [r for r in find(FEATURE_DENOISING, "robust_accuracy", source=TEASER) if r.model == model]
        used += rows
        steps = [float(row.number.steps) for row in rows]
        shown.append(Series(label, steps, [row.number.value for row in rows], line=True))
    text = f"{about}Published: PGD, targeted, eps 16/255, ImageNet ({sources(used)})."
    return iterations(spec, data, series, shown, text)


def iterations(
    spec: FigureSpec, data: Numbers, measured: Sequence[Series], published: Sequence[Series], text: str
) -> "Figure":
    """Accuracy against steps in both panels, the steps written out."""
    figure = beside(spec, data, measured, published, "attack iterations", "robust accuracy (%)", text)
    for axes, series in zip(figure.axes, (measured, published), strict=True):
        if series:
            style.count_axis(axes, (x for one in series for x in one.x))
    return figure


def draw_depth(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean and robust accuracy of adversarial training alone."""

    def plain(facts: Facts) -> bool:
        recipe = facts.recipe
        return bool(
            recipe and recipe.domains == ("adversarial",) and recipe.net.activation == "relu" and not recipe.freeze
        )

    depths = {f.name: f.depth for f in data.models if f.depth and plain(f)}
    series, texts = [], []
    for label, column in (("clean", data.clean(depths)), ("under attack", data.robust(depths))):
        if column and len({depths[name] for name in column.numbers}) > 1:
            names = sorted(column.numbers, key=lambda name: depths[name])
            series.append(of_column(label, [depths[n] for n in names], column, names, names=names, line=True))
            texts.append(column.about())
    rows = [
        r
        for m in ("ResNet-101 baseline", "intriguing_resnet152")
        for r in find(FEATURE_DENOISING, "robust_accuracy", steps=2000, source=TEASER)
        if r.model == m
    ]
    shown = [
        Series("under attack, PGD-2000 targeted, eps 16/255", [101, 152], [r.number.value for r in rows], line=True)
    ]
    text = f"{'Measured: ' + '; '.join(texts) + '. ' if texts else ''}Published: {sources(rows)}."
    return beside(spec, data, series, shown, "layers", "accuracy (%)", text)


def draw_normalisation(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of clean and robust accuracy, models trained on clean and adversarial images at eps 8/255."""
    joint = {
        f.name
        for f in data.models
        if f.recipe
        and f.method in ("intriguing", "nofrost")
        and f.recipe.domains == ("clean", "adversarial")
        and f.recipe.net.blocks == (1, 1, 1)
    }
    adversarial = {f.name for f in data.models if f.recipe and f.recipe.name in ("at", "at_frozen")}
    return clean_and_robust(spec, data, joint | adversarial)


def clean_and_robust(spec: FigureSpec, data: Numbers, names: set[str], least: int = 2) -> "Figure":
    """Two bars a model."""
    columns = [data.clean(names), data.robust(names)]
    shared = sorted(set.intersection(*(set(c.numbers) if c else set() for c in columns)))
    if len(shared) < least:
        raise spec.missing(data)
    found = [c for c in columns if c]
    figure, (axes,) = style.panels(1, height=2.6, width=style.TWO_COLUMNS if len(shared) > 4 else style.ONE_COLUMN)
    labels = ("clean", "under attack")
    series = [of_column(label, (), c, shared) for label, c in zip(labels, found, strict=True)]
    bars(axes, shared, series, "accuracy (%)", "measured")
    style.legend(axes, columns=2, bbox_to_anchor=(0.5, 1.0), loc="lower center")
    axes.set_title("")
    style.caption(
        figure, f"{spec.title}. Measured: {'; '.join(c.about() for c in found)}. Published: no number verified."
    )
    return figure


def draw_branch_statistics(spec: FigureSpec, data: Numbers) -> "Figure":
    """Every channel of every layer: what one branch stores against what the other does."""
    twins = sorted({f.name.partition("@")[0] for f in data.models if f.card and len(f.card.branches) == 2})
    if not twins:
        raise spec.missing(data)
    figure, panels = style.panels(4, height=2.3)
    what = {"running_mean": "mean", "running_var": "variance", "weight": "$\\gamma$", "bias": "$\\beta$"}
    for index, name in enumerate(twins[:4]):
        layers = branched_layers(load_model(name))
        first, second = layers[0].names[:2]
        for axes, (field, label) in zip(panels, what.items(), strict=True):
            x, y = (torch.cat([getattr(layer.branches[b], field) for layer in layers]) for b in (first, second))
            r = float(torch.corrcoef(torch.stack([x, y]))[0, 1])
            axes.plot(
                x.numpy(),
                y.numpy(),
                linestyle="none",
                marker=style.marker(index),
                color=style.colour(index),
                markersize=2,
                alpha=0.6,
                label=f"{name}, r {r:.2f}",
            )
            axes.set_title(label)
            axes.set_xlabel("clean branch")
            if field == "running_var":
                axes.set_xscale("log")
                axes.set_yscale("log")
    panels[0].set_ylabel("adversarial branch")
    for axes in panels:
        low, high = max(axes.get_xlim()[0], axes.get_ylim()[0]), min(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([low, high], [low, high], color="black", linewidth=0.6)
        style.legend(axes)
    text = (
        f"{spec.title}: all channels of all layers, from the checkpoints' own weights; r is Pearson's. "
        "`bench run --suite batchnorm` measures what the layers are shown. Published: no number verified."
    )
    style.caption(figure, text)
    return figure


FIGURES = (
    FigureSpec(
        "intriguing-clean-share",
        "Robust accuracy against the share of clean training images",
        "1906.03787, Figure 1",
        "--model tiny_at,tiny_mix --suite tiny-pgd",
        draw_clean_share,
    ),
    FigureSpec(
        "intriguing-attack-iterations",
        "Accuracy against attack iterations",
        "1812.03411, Figure 1",
        f"--model {STEPS} --steps K (K of 5, 10, 20, 50, 100)",
        draw_iterations,
    ),
    FigureSpec(
        "intriguing-depth",
        "Accuracy against depth",
        "1906.03787",
        "--model tiny_at,tiny_at_deep --suite tiny-pgd",
        draw_depth,
    ),
    FigureSpec(
        "intriguing-normalisation",
        "Normalisation of joint training, and adversarial training alone",
        "1906.03787",
        "--model tiny_at,tiny_mix,tiny_mbn@clean,tiny_mbn@adv,tiny_gn --suite tiny-pgd",
        draw_normalisation,
    ),
    FigureSpec(
        "intriguing-branch-statistics",
        "Batch norm of the clean and the adversarial branch",
        "1906.03787",
        "--model tiny_mbn@clean,tiny_advprop@clean --suite tiny",
        draw_branch_statistics,
    ),
)
