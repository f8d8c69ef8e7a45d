"""Robust accuracy under each attack."""

from typing import TYPE_CHECKING

from bench.condition import spell
from bench.figures import style
from bench.figures.base import FigureSpec, figure
from bench.figures.measured import Column, Numbers
from bench.figures.nofrost.rivals import NEEDS, rivals
from bench.figures.series import Series, bars

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "nofrost-attacks",
    "Robust accuracy attack by attack",
    "2207.01156, test.py",
    "--model tiny_at,tiny_mix,tiny_nofrost --suite tiny-pgd,aa-fast --eps 8/255 --limit 100",
    NEEDS,
)
def attacks(spec: FigureSpec, data: Numbers) -> "Figure":
    """Bars of accuracy, one group per attack."""
    names = rivals(spec, data)
    families = sorted({c.family for c in data.columns if c.attack and set(names) & c.numbers.keys()})
    found = [data.best(names, lambda c, f=family: c.family == f) for family in families]  # type: ignore[misc]
    chosen = [column for column in found if column]
    shared = data.shared(names, chosen)
    if len(chosen) < 2 or len(shared) < 2:
        raise spec.missing(data)
    figure, (axes,) = style.panels(1, height=2.6, width=style.TWO_COLUMNS if len(chosen) > 1 else style.ONE_COLUMN)
    series = []
    for name in shared:
        numbers = [column.numbers[name] for column in chosen]
        series.append(Series(name, (), [n.value for n in numbers], [(n.low, n.high) for n in numbers]))
    bars(axes, [_short(column) for column in chosen], series, "robust accuracy (%)", "")
    style.legend(axes, columns=4, bbox_to_anchor=(0.5, 1.05), loc="lower center")
    about = "; ".join(column.about() for column in chosen)
    style.caption(figure, f"{spec.title}. Measured: {about}. Published: no number verified.")
    return figure


def _short(column: Column) -> str:
    if column.attack is None:
        return column.dataset
    eps = spell(column.attack.eps, column.attack.norm).replace("_", "/")
    steps = f"-{column.steps}" if column.steps else ""
    targeted = " targeted" if column.attack.targeted else ""
    return f"{column.family}{steps}{targeted}\neps {eps}"
