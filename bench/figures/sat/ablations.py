"""Ablations: smooth derivative in the attack or in the update; activations without their negative part."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.facts import Facts, groups
from bench.figures.measured import Numbers
from bench.figures.sat.activations import NEEDS, adversarial_alone
from bench.figures.series import clean_and_robust

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTNERS = {"silu_rectified": "silu", "gelu_rectified": "gelu", "elu_rectified": "elu", "celu_2": "elu_2"}
"""Activation -> the activation whose negative part it changes. CELU equals ELU at alpha 1; at alpha 2, ELU's derivative
is discontinuous at zero."""


@figure(
    "sat-gradient-ablation",
    "ReLU forwards with a smooth derivative backwards",
    "2006.14536, Table 1",
    "--model tiny_at,tiny_sat_smooth_attack,tiny_sat_smooth_update,tiny_sat_smooth_both --suite tiny-pgd",
    NEEDS,
)
def gradient_ablation(spec: FigureSpec, data: Numbers) -> "Figure":
    """Accuracy of ReLU networks with a smooth derivative in the attack, in the update, in both, or in neither."""
    found = groups([f for f in data.told(spec.needs) if adversarial_alone(f)], "smooth_gradient")
    kept = [group for group in found if any(f.traits.smooth_gradient for f in group)]
    order = sorted((f for group in kept for f in group), key=lambda f: (len(f.traits.smooth_gradient), f.name))
    return clean_and_robust(spec, data, [f.name for f in order])


@figure(
    "sat-negative-part",
    "Smooth activations with and without the part below zero",
    "2006.14536, sections 4.2 and 4.3",
    "--model tiny_at,tiny_sat_silu,tiny_sat_silu_rectified,tiny_sat_gelu,tiny_sat_gelu_rectified,tiny_sat_elu_2,"
    "tiny_sat_celu_2 --suite tiny-pgd",
    NEEDS,
)
def negative_part(spec: FigureSpec, data: Numbers) -> "Figure":
    """Accuracy of smooth activations with and without their negative part, of CELU and ELU, and of ReLU."""
    order: list[Facts] = []
    for group in groups([f for f in data.told(spec.needs) if adversarial_alone(f)], "activation"):
        plain = [f for f in group if not f.traits.smooth_gradient]
        seen = {f.traits.activation for f in plain}
        shown = {name for pair in PARTNERS.items() if seen.issuperset(pair) for name in pair}
        kept = [f for f in plain if f.traits.activation in shown | {"relu"}] if shown else []
        order += sorted(kept, key=_by_pair)
    return clean_and_robust(spec, data, [f.name for f in order])


def _by_pair(facts: Facts) -> tuple[str, str, str]:
    name = facts.traits.activation
    return PARTNERS.get(name, name), name, facts.name
