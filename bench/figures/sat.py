"""Figures of Smooth Adversarial Training (arXiv 2006.14536)."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from bench.figures import style
from bench.figures.base import FigureSpec, Series, beside, of_column
from bench.figures.intriguing import clean_and_robust, curves, iterations
from bench.figures.measured import Facts, Numbers
from bench.published.papers import SAT, find, sources
from bench.published.table import Published
from model_zoo.nets.activations import activation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVATIONS = {
    "relu": "ReLU",
    "silu": "SILU",
    "gelu": "GELU",
    "softplus": "Softplus",
    "elu": "ELU",
    "smoothrelu": "SmoothReLU",
    "parametric_softplus": "Parametric Softplus",
}
"""Activations as the paper's first figure names them; their order gives each the same colour in every figure."""

ORDER = list(ACTIVATIONS.values())

GROWN = {
    "deeper (50, 101, 152)": ("sat_resnet50", "sat_resnet101", "sat_resnet152"),
    "wider (50, X50 32x4d, X50 32x8d)": ("sat_resnet50", "sat_resnext50_32x4d", "sat_resnext50_32x8d"),
    "larger pictures (224, 299, 380 px)": ("sat_resnet50", "sat_resnet50_299", "sat_resnet50_380"),
    "all three (X152 32x8d, 380 px)": ("sat_resnext152_32x8d_380",),
}
"""The README's rows, by what grows."""


def smooth(facts: Facts) -> bool:
    """Whether it differs from adversarial training with ReLU in its activation alone."""
    recipe = facts.recipe
    if recipe is None:
        return facts.method == "sat"
    plain = recipe.domains == ("adversarial",) and recipe.net.blocks == (1, 1, 1) and not recipe.freeze
    return plain and not recipe.smooth and recipe.method in ("sat", "intriguing")


def activation_of(facts: Facts) -> str:
    """Its activation as the paper writes it."""
    name = str(facts.card.build.get("activation", "relu")) if facts.card else ""
    return ACTIVATIONS.get(name, name)


def published_activation(row: Published) -> str:
    """Its activation as the paper writes it; of a model without a card, what its method says."""
    return activation_of(Facts.of(row.card)) if row.card else row.method.removeprefix("AT with ")


def index_of(name: str) -> int:
    """Colour and marker of an activation."""
    return ORDER.index(name) if name in ORDER else len(ORDER)


def draw_scatter(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust against clean accuracy, a point an activation."""
    models = {f.name: activation_of(f) for f in data.models if smooth(f)}
    clean, robust = data.clean(models), data.robust(models)
    series, about = [], ""
    if clean and robust and len(names := sorted(clean.numbers.keys() & robust.numbers.keys())) > 1:
        about = f"Measured: {clean.about()} and {robust.about()}. "
        series = [
            of_column(models[name], [robust.numbers[name].value], clean, [name], index=index_of(models[name]))
            for name in names
        ]
    shown, used = [], list[Published]()
    for name in ORDER:
        pair = [find(SAT, metric, reading="by pixel") for metric in ("robust_accuracy", "accuracy")]
        x, y = ([r for r in rows if published_activation(r) == name] for rows in pair)
        used += [*x, *y]
        shown.append(Series(name, [r.number.value for r in x], [r.number.value for r in y], index=index_of(name)))
    text = f"{about}Published: ResNet-50 on ImageNet, PGD-200, eps 4/255 ({sources(used)})."
    return beside(spec, data, series, shown, "robust accuracy (%)", "clean accuracy (%)", text)


def draw_curves(spec: FigureSpec, data: Numbers) -> "Figure":  # noqa: ARG001
    """f and f' of the activations that this package builds."""
    figure, (left, right) = style.panels(2, height=2.7)
    for index, (name, title) in enumerate(ACTIVATIONS.items()):
        x = torch.linspace(-3, 3, 601, requires_grad=True)
        y = activation(name)(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        for axes, values in ((left, y), (right, slope)):
            axes.plot(
                x.detach().numpy(),
                values.detach().numpy(),
                color=style.colour(index),
                label=title,
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
    """Clean against robust accuracy as networks grow."""
    models = {f.name: f for f in data.models if f.method == "sat" and not (f.recipe and f.recipe.smooth)}
    clean, robust = data.clean(models), data.robust(models)
    series, about = [], ""
    if clean and robust and (names := sorted(clean.numbers.keys() & robust.numbers.keys())):
        about = f"Measured: {clean.about()} and {robust.about()}. "
        places, short = [clean.numbers[name].value for name in names], [n.removeprefix("tiny_sat_") for n in names]
        series = [of_column("SAT", places, robust, names, names=short)]
    rows = find(SAT, "robust_accuracy", steps=50, source="README.md")
    x = {row.model: row.number.value for row in find(SAT, "accuracy", source="README.md")}
    y = {row.model: row.number.value for row in rows}
    shown = [
        Series(label, [x[m] for m in grown], [y[m] for m in grown], line=len(grown) > 1)
        for label, grown in GROWN.items()
    ]
    text = f"{about}Published: SILU, PGD-50, eps 4/255, ImageNet ({sources(rows)})."
    return beside(spec, data, series, shown, "clean accuracy (%)", "robust accuracy (%)", text)


def draw_steps(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against steps, a curve an activation."""
    names = {f.name: activation_of(f) for f in data.models if smooth(f)}
    found, about = curves(data, smooth)
    series = [replace(one, label=names[one.label], index=index_of(names[one.label])) for one in found]
    shown, used = [], []
    for name in ("ReLU", "ELU", "GELU", "SmoothReLU", "SILU"):
        rows = [
            r for r in find(SAT, "robust_accuracy", source="activation functions") if published_activation(r) == name
        ]
        used += rows
        steps = [float(row.number.steps) for row in rows]
        shown.append(Series(name, steps, [row.number.value for row in rows], line=True, index=index_of(name)))
    text = f"{about}Published: ResNet-50 on ImageNet, eps 4/255 ({sources(used)})."
    return iterations(spec, data, series, shown, text)


def draw_gradients(spec: FigureSpec, data: Numbers) -> "Figure":
    """ReLU forwards; a smooth derivative in the attack, in the update, in both."""
    names = {f.name for f in data.models if f.recipe and (f.recipe.smooth or f.recipe.name == "at")}
    return clean_and_robust(spec, data, names)


FIGURES = (
    FigureSpec(
        "sat-activation-scatter",
        "Clean against robust accuracy of adversarial training by activation",
        "2006.14536, teaser",
        "--model tiny_at,tiny_sat_silu,tiny_sat_gelu,tiny_sat_elu --suite tiny-pgd",
        draw_scatter,
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
    ),
    FigureSpec(
        "sat-attack-iterations",
        "Accuracy against attack iterations by activation",
        "2006.14536, README",
        "--model tiny_at,tiny_sat_silu,tiny_sat_gelu --suite pgd --eps 8/255 --step-size 1/255 --limit 200 "
        "--reliability 0 --steps K (K of 5, 10, 20, 50, 100)",
        draw_steps,
    ),
    FigureSpec(
        "sat-gradient-ablation",
        "ReLU forwards with a smooth derivative backwards",
        "2006.14536, Table 1",
        "--model tiny_at,tiny_sat_smooth_attack,tiny_sat_smooth_update,tiny_sat_smooth_both --suite tiny-pgd",
        draw_gradients,
    ),
)
