"""Lines through models that differ in one field, and curves over an attack's steps or budget."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.condition import SHORT
from bench.figures import style
from bench.figures.base import FigureSpec
from bench.figures.facts import Facts, differences, groups
from bench.figures.measured import Column, Numbers
from bench.figures.series import Series, beside, of_column
from bench.published.table import Published

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (5, 10, 20, 50, 100)
"""Numbers of attack steps used on the tiny models."""


def values(rows: Sequence[Published]) -> list[float]:
    """Return the values of published rows."""
    return [row.number.value for row in rows]


def about(column: Column | None, series: Sequence[Series]) -> str:
    """Return the caption of the measured series; empty if there are none."""
    return f"Measured: {column.about()}. " if column and series else ""


def lines(
    column: Column | None, models: Sequence[Facts], free: Sequence[str], x: Callable[[Facts], float | None], label: str
) -> list[Series]:
    """Return a line for each group of measured models that differ only in `free` and have two or more values of x."""
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
    """Return robust accuracy against the attack's `steps` or `eps` (in 1/255), with a caption.

    The curve joins attacks on the same images that differ only in that field; of several such sets, the one with most
    models is drawn.
    """
    names = {facts.name for facts in models}
    kinds: dict[object, list[Column]] = {}
    for c in data.columns:
        attack = c.attack
        if attack is None or c.family != "pgd" or attack.through or not names & c.numbers.keys():
            continue
        # Papers change budget and step size together. `short` only marks a step size that does not suit the budget.
        told = tuple(word for word in attack.words if word != SHORT)
        alike = replace(attack, step_size=None, words=told)
        fixed = replace(alike, steps=None) if along == "steps" else replace(alike, eps=Fraction(1))
        kinds.setdefault((c.pictures, c.made, str(fixed)), []).append(c)
    place = {
        id(c): float(c.steps if along == "steps" else 255 * c.attack.eps) for g in kinds.values() for c in g if c.attack
    }
    several = [group for group in kinds.values() if len({place[id(c)] for c in group}) > 1]
    if not several:
        return [], ""
    group = sorted(
        max(several, key=lambda g: sum(len(names & c.numbers.keys()) for c in g)), key=lambda c: place[id(c)]
    )
    widest = sorted(group, key=lambda c: len(names & c.numbers.keys()))  # at one x, the most models win
    group = sorted({place[id(c)]: c for c in widest}.values(), key=lambda c: place[id(c)])
    series = []
    for name in sorted(names & set().union(*(c.numbers for c in group))):
        mine = [c for c in group if name in c.numbers]
        if len(mine) == 1:  # one point makes no curve
            continue
        numbers = [c.numbers[name] for c in mine]
        ends = [(n.low, n.high) for n in numbers]
        series.append(Series(name, [place[id(c)] for c in mine], [n.value for n in numbers], ends, line=True))
    return series, f"Measured: {group[-1].about()} and {len(group) - 1} of other {along}. "


def iterations(
    spec: FigureSpec, data: Numbers, measured: Sequence[Series], published: Sequence[Series], text: str
) -> "Figure":
    """Draw accuracy against steps in both panels, with a tick at each number of steps."""
    figure = beside(spec, data, measured, published, "attack iterations", "robust accuracy (%)", text)
    for axes, series in zip(figure.axes, (measured, published), strict=False):
        if series:
            style.count_axis(axes, (x for one in series for x in one.x))
    return figure
