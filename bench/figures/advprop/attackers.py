"""Clean accuracy against the strength of the attacker in training."""

from typing import TYPE_CHECKING

from bench.figures.advprop.trainings import NEEDS, kind
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import Facts, differences, groups
from bench.figures.measured import Numbers
from bench.figures.series import beside, of_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "advprop-attacker-strength",
    "Clean accuracy against the strength of the attacker in training",
    "1911.09665",
    "--model tiny_advprop_eps1@clean,tiny_advprop@clean,tiny_mbn@clean --suite tiny",
    (*NEEDS, "attacker"),
)
def attacker_strength(spec: FigureSpec, data: Numbers) -> "Figure":
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
