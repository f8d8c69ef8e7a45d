"""Accuracy against attack iterations for each activation."""

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.curves import STEPS, curves, iterations
from bench.figures.facts import ACTIVATIONS, differences, groups
from bench.figures.measured import Numbers
from bench.figures.sat.activations import NEEDS, adversarial_alone, comparable, look_of, of_row, titled
from bench.figures.series import Series
from bench.published.papers import SAT, find, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "sat-attack-iterations",
    "Accuracy against attack iterations by activation",
    "2006.14536, README",
    "--model tiny_at,tiny_sat_silu,tiny_sat_gelu --suite pgd --eps 8/255 --step-size 1/255 --limit 200 --reliability 0",
    NEEDS,
    STEPS,
)
def attack_iterations(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against attack steps, one curve per activation."""
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
