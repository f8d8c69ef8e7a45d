"""Figures of Smooth Adversarial Training (arXiv 2006.14536)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from bench.figures import style
from bench.figures.base import FigureSpec, Series, beside, clean_and_robust, of_column
from bench.figures.facts import ACTIVATIONS, GROWTH, Facts, differences, groups
from bench.figures.intriguing import curves, iterations
from bench.figures.measured import Numbers
from bench.published.papers import SAT, find, readings, sources
from bench.published.table import Published
from model_zoo.nets.activations import activation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORDER = list(ACTIVATIONS)
DRAWN = ("relu", "silu", "gelu", "softplus", "elu", "smoothrelu", "parametric_softplus")
"""Activations of the paper's first figure."""

RECTIFIED = ("celu", "silu_rectified", "gelu_rectified", "elu_rectified")
SCALES = {"depth": "deeper", "width": "wider", "size": "larger pictures"}
"""What grows while all else stays, and its name in the legend."""


def adversarial_alone(facts: Facts) -> bool:
    """Whether it is trained on adversarial images alone, through one normalisation."""
    return facts.traits.only == "adversarial" and facts.separate == 1


def titled(facts: Facts) -> str:
    """Its activation as the paper writes it."""
    return ACTIVATIONS.get(facts.traits.activation, facts.traits.activation)


def look_of(name: str) -> int:
    """Colour and marker of an activation."""
    return ORDER.index(name) if name in ORDER else len(ORDER)


def of_row(row: Published) -> Facts:
    """What is known of a published number's model; of one without a card, the activation that its method names."""
    if row.card:
        return Facts.of(row.card)
    title = row.method.removeprefix("AT with ")
    names = {shown: name for name, shown in ACTIVATIONS.items()}
    return Facts(
        row.model, traits=replace(Facts("").traits, activation=names.get(title, title), images=("adversarial",))
    )


def comparable(data: Numbers, told: Sequence[Facts], free: str) -> list[Facts]:
    """The models that have a partner which differs in `free` alone; all where the user named them, or none has one."""
    several = [g for g in groups(told, free) if len({str(f.get(free)) for f in g}) > 1]
    return list(told) if data.asked or not several else [f for group in several for f in group]


def draw_scatter(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust against clean accuracy, a point a model, with the activation's look; unlike networks say what they are."""
    plain = [f for f in data.told(spec.needs) if adversarial_alone(f) and not f.traits.smooth_gradient]
    models = comparable(data, plain, "activation")
    clean, robust = data.clean([f.name for f in models]), data.robust([f.name for f in models])
    series, about = [], ""
    kept = [f for f in models if clean and robust and f.name in clean.numbers and f.name in robust.numbers]
    if clean and robust and len(kept) > 1:
        about = f"Measured: {clean.about()} and {robust.about()}. "
        every = groups(kept, "activation")
        for group, told in zip(every, differences(every, "activation"), strict=True):
            for f in sorted(group, key=lambda f: look_of(f.traits.activation)):
                label = ", ".join(filter(None, [titled(f), told]))
                place = [robust.numbers[f.name].value]
                series.append(of_column(label, place, clean, [f.name], index=look_of(f.traits.activation)))
    shown, used = [], list[Published]()
    for name in ORDER:
        rows = [
            [r for r in find(SAT, metric, reading="by pixel") if of_row(r).traits.activation == name]
            for metric in ("robust_accuracy", "accuracy")
        ]
        if all(rows):
            used += [row for each in rows for row in each]
            x, y = ([row.number.value for row in each] for each in rows)
            shown.append(Series(ACTIVATIONS[name], x, y, index=look_of(name)))
    text = f"{about}Published: ResNet-50 on ImageNet, PGD-200, eps 4/255, {readings(used)} ({sources(used)})."
    return beside(spec, data, series, shown, "robust accuracy (%)", "clean accuracy (%)", text)


def draw_curves(spec: FigureSpec, data: Numbers) -> "Figure":  # noqa: ARG001
    """f and f' of the activations that this package builds."""
    figure, (left, right) = style.panels(2, height=2.7)
    for index, name in enumerate(DRAWN):
        x = torch.linspace(-3, 3, 601, requires_grad=True)
        y = activation(name)(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        for axes, values in ((left, y), (right, slope)):
            axes.plot(
                x.detach().numpy(),
                values.detach().numpy(),
                color=style.colour(index),
                label=ACTIVATIONS[name],
                linestyle=("-", "--", "-.", ":")[index % 4],
            )
    for axes, label in ((left, "f(x)"), (right, "f'(x)")):
        axes.set_xlabel("x")
        axes.set_ylabel(label)
    left.set_ylim(-1.1, 3)
    style.legend(left, loc="upper left", bbox_to_anchor=(0.0, 1.02))
    style.caption(
        figure,
        f"{spec.title}, as model_zoo builds them: parametric softplus with alpha 10, SmoothReLU at "
        "its initial beta 400, GELU by its tanh approximation. No measurement.",
    )
    return figure


def draw_scaling(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean against robust accuracy as networks grow in one way; ones that grow in several ways are points."""
    models = [f for f in data.told(spec.needs) if adversarial_alone(f) and not f.traits.smooth_gradient]
    clean, robust = data.clean([f.name for f in models]), data.robust([f.name for f in models])
    series, about = [], ""
    kept = [f for f in models if clean and robust and f.name in clean.numbers and f.name in robust.numbers]
    if clean and robust and kept:
        about = f"Measured: {clean.about()} and {robust.about()}. "
        every = groups(kept, *GROWTH)
        every = [group for group in every if len(group) > 1] or every
        for group, told in zip(every, differences(every, *GROWTH), strict=True):
            names = [f.name for f in sorted(group, key=lambda f: f.flops or f.parameters)]
            places = [clean.numbers[name].value for name in names]
            series.append(of_column(told or "one training", places, robust, names, names=names, line=len(names) > 1))
    rows = find(SAT, "robust_accuracy", steps=50, source="README.md")
    x = {row.card: row.number.value for row in find(SAT, "accuracy", source="README.md")}
    y = {row.card: row.number.value for row in rows}
    shown = [
        Series(label, [x[m] for m in grown], [y[m] for m in grown], line=len(grown) > 1)
        for label, grown in grown_ways([Facts.of(card) for card in y]).items()
    ]
    text = f"{about}Published: SILU, PGD-50, eps 4/255, ImageNet ({sources(rows)})."
    return beside(spec, data, series, shown, "clean accuracy (%)", "robust accuracy (%)", text)


def grown_ways(released: Sequence[Facts]) -> dict[str, list[str]]:
    """The released SILU networks by what grows in them from the 50-layer one; ResNeXt is the wider ResNet."""
    smooth = [f for f in released if f.traits.activation == "silu"]
    least = {field: min(f.get(field) for f in smooth) for field in SCALES}
    found: dict[str, list[Facts]] = {}
    for f in smooth:
        larger = [field for field in SCALES if f.get(field) > least[field]]
        for field in larger or SCALES:
            if len(larger) < 2:
                found.setdefault(SCALES[field], []).append(f)
        if len(larger) > 1:
            found.setdefault("all three" if len(larger) == len(SCALES) else " and ".join(larger), []).append(f)
    return {
        f"{way} ({', '.join(_size_of(f, way) for f in grown)})": [f.name for f in grown]
        for way, each in found.items()
        for grown in [sorted(each, key=lambda f: f.flops or 0)]
    }


def _size_of(f: Facts, way: str) -> str:
    told = {"deeper": f"{f.traits.depth}", "wider": f"x{f.traits.width:g}", "larger pictures": f"{f.size} px"}
    return told.get(way, f"{f.traits.depth}, x{f.traits.width:g}, {f.size} px")


def draw_efficientnets(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean and robust accuracy of adversarially trained EfficientNets against their multiply-adds."""
    models = [f for f in data.told(spec.needs) if adversarial_alone(f) and f.traits.family == "efficientnet"]
    series, texts = [], []
    for label, column in (
        ("clean", data.clean([f.name for f in models])),
        ("under attack", data.robust([f.name for f in models])),
    ):
        kept = [f for f in models if column and f.name in column.numbers and f.flops]
        if column and kept:
            kept.sort(key=lambda f: f.flops or 0)
            names = [f.name for f in kept]
            x = [(f.flops or 0) / 1e9 for f in kept]
            series.append(of_column(label, x, column, names, names=names, line=len(names) > 1))
            texts.append(column.about())
    shown, used = [], []
    for label, rows in (
        ("clean", find(SAT, "accuracy", source='README.md table "SAT EfficientNet"')),
        ("under attack, PGD-200", find(SAT, "robust_accuracy", steps=200, source="abstract")),
    ):
        those = [row for row in rows if of_row(row).traits.family == "efficientnet"]
        those.sort(key=lambda row: of_row(row).flops or 0)
        used += those
        x, y = [(of_row(row).flops or 0) / 1e9 for row in those], [row.number.value for row in those]
        shown.append(Series(label, x, y, line=len(those) > 1))
    measured = f"Measured: {'; '.join(texts)}. " if texts else ""
    text = f"{measured}Published: EfficientNet-B0 to L1, ImageNet, eps 4/255 ({sources(used)})."
    figure = beside(spec, data, series, shown, "multiply-adds (G)", "accuracy (%)", text)
    for axes in figure.axes:
        if axes.get_lines():
            axes.set_xscale("log")
    return figure


def draw_steps(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against steps, a curve an activation."""
    plain = [f for f in data.told(spec.needs) if adversarial_alone(f) and not f.traits.smooth_gradient]
    models = comparable(data, plain, "activation")
    found, about = curves(data, models)
    facts = {f.name: f for f in models}
    several = groups([facts[one.label] for one in found], "activation")
    told = {
        f.name: text for group, text in zip(several, differences(several, "activation"), strict=True) for f in group
    }
    series = [
        replace(
            one,
            label=", ".join(filter(None, [titled(facts[one.label]), told[one.label]])),
            index=look_of(facts[one.label].traits.activation),
        )
        for one in found
    ]
    shown, used = [], []
    every = find(SAT, "robust_accuracy", source="activation functions")
    for name in dict.fromkeys(of_row(row).traits.activation for row in every):
        rows = [row for row in every if of_row(row).traits.activation == name]
        used += rows
        steps, y = [float(row.number.steps) for row in rows], [row.number.value for row in rows]
        shown.append(Series(ACTIVATIONS[name], steps, y, line=True, index=look_of(name)))
    text = f"{about}Published: ResNet-50 on ImageNet, eps 4/255 ({sources(used)})."
    return iterations(spec, data, series, shown, text)


def draw_gradients(spec: FigureSpec, data: Numbers) -> "Figure":
    """ReLU forwards; a smooth derivative in the attack, in the update, in both."""
    found = groups([f for f in data.told(spec.needs) if adversarial_alone(f)], "smooth_gradient")
    kept = [group for group in found if any(f.traits.smooth_gradient for f in group)]
    order = sorted((f for group in kept for f in group), key=lambda f: (len(f.traits.smooth_gradient), f.name))
    return clean_and_robust(spec, data, [f.name for f in order])


def draw_rectified(spec: FigureSpec, data: Numbers) -> "Figure":
    """Smooth activations beside themselves without the part below zero, and CELU beside ELU."""
    found = groups([f for f in data.told(spec.needs) if adversarial_alone(f)], "activation")
    kept = [group for group in found if any(f.traits.activation in RECTIFIED for f in group)]
    order = sorted((f for group in kept for f in group), key=lambda f: f.traits.activation)
    return clean_and_robust(spec, data, [f.name for f in order if not f.traits.smooth_gradient])


NEEDS = ("images", "activation")

FIGURES = (
    FigureSpec(
        "sat-activation-scatter",
        "Clean against robust accuracy of adversarial training by activation",
        "2006.14536, teaser",
        "--model tiny_at,tiny_sat_silu,tiny_sat_gelu,tiny_sat_elu --suite tiny-pgd",
        draw_scatter,
        NEEDS,
    ),
    FigureSpec(
        "sat-activation-curves",
        "Activation functions and their derivatives",
        "2006.14536, Figures 1 and 2",
        "",
        draw_curves,
    ),
    FigureSpec(
        "sat-scaling",
        "Clean and robust accuracy as networks grow",
        "2006.14536",
        "--model sat_resnet50,sat_resnet101,sat_resnet152 --suite pgd --protocol published",
        draw_scaling,
        NEEDS,
    ),
    FigureSpec(
        "sat-efficientnets",
        "Adversarially trained EfficientNets",
        "2006.14536",
        "--model sat_efficientnet_b0,sat_efficientnet_b1 --suite pgd --protocol published",
        draw_efficientnets,
        (*NEEDS, "family"),
    ),
    FigureSpec(
        "sat-attack-iterations",
        "Accuracy against attack iterations by activation",
        "2006.14536, README",
        "--model tiny_at,tiny_sat_silu,tiny_sat_gelu --suite pgd --eps 8/255 --step-size 1/255 --limit 200 "
        "--reliability 0 --steps K (K of 5, 10, 20, 50, 100)",
        draw_steps,
        NEEDS,
    ),
    FigureSpec(
        "sat-gradient-ablation",
        "ReLU forwards with a smooth derivative backwards",
        "2006.14536, Table 1",
        "--model tiny_at,tiny_sat_smooth_attack,tiny_sat_smooth_update,tiny_sat_smooth_both --suite tiny-pgd",
        draw_gradients,
        NEEDS,
    ),
    FigureSpec(
        "sat-negative-part",
        "Smooth activations with and without the part below zero",
        "2006.14536, sections 4.2 and 4.3",
        "--model tiny_sat_silu,tiny_sat_silu_rectified,tiny_sat_elu,tiny_sat_celu --suite tiny-pgd",
        draw_rectified,
        NEEDS,
    ),
)
