"""Robust accuracy against the attack's budget and steps."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.curves import STEPS, curves, iterations
from bench.figures.measured import Numbers
from bench.figures.nofrost.rivals import NEEDS, rivals
from bench.figures.series import beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "nofrost-budgets",
    "Accuracy against the budget of the attack",
    "2207.01156",
    "--model tiny_at,tiny_mix,tiny_nofrost --suite pgd --steps 20 --limit 200 --reliability 0 "
    "--eps 1/255,2/255,4/255,8/255,16/255",
    NEEDS,
)
def budgets(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against the budget eps, one curve per model."""
    names = set(rivals(spec, data))
    series, text = curves(data, [f for f in data.models if f.name in names], "eps")
    if not series:
        raise spec.missing(data)
    text += "Published: no number verified."
    return beside(spec, data, series, [], "budget eps (1/255)", "robust accuracy (%)", text)


@figure(
    "nofrost-attack-iterations",
    "Accuracy against attack iterations",
    "2207.01156, test.py",
    "--model tiny_at,tiny_mix,tiny_nofrost --suite pgd --eps 8/255 --step-size 1/255 --limit 200 --reliability 0",
    NEEDS,
    STEPS,
)
def attack_iterations(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against attack steps, one curve per model."""
    names = set(rivals(spec, data))
    series, text = curves(data, [f for f in data.models if f.name in names])
    if not series:
        raise spec.missing(data)
    return iterations(spec, data, series, [], f"{text}Published: no number verified.")
