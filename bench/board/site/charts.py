"""Coordinates in the site's SVG charts; the templates draw them."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pandas as pd

from bench.board.columns import CLEAN, DECIDING
from bench.board.site.view import Head, Row, ShownNumber, figure
from bench.condition import AttackFields, Condition, spell
from bench.metrics.corruption import CORRUPTIONS, SEVERITIES
from model_zoo.card import METHODS

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 52, 30, 16, 54
"""The frame of a chart within its image, in SVG units."""


@dataclass(frozen=True)
class Axis:
    """One axis: the values at its ends, and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def around(cls, values: Sequence[float]) -> "Axis":
        """Make a percent axis with about five round ticks around `values`."""
        low, high = max(0.0, min(values)), max(values)
        step = next(s for s in (1, 2, 5, 10, 20, 25, 50, 100, 250, math.inf) if (high - low) / s <= 6)
        first, last = step * math.floor(low / step), step * math.ceil(high / step)
        last = last if last > first else first + step
        return cls(first, last, tuple(first + step * i for i in range(round((last - first) / step) + 1)))

    def x(self, value: float) -> float:
        """Horizontal coordinate."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - self.low) / (self.high - self.low), 1)

    def y(self, value: float) -> float:
        """Vertical coordinate."""
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - self.low) / (self.high - self.low), 1)


@dataclass(frozen=True)
class Mark:
    """A model in the scatter chart, with the ends of its intervals."""

    row: Row
    x: float
    y: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    kind: int
    text: str
    label: str = ""
    turned: bool = False


@dataclass(frozen=True)
class Scatter:
    """Clean against robust accuracy."""

    horizontal: Axis
    vertical: Axis
    x_head: Head
    y_head: Head
    marks: list[Mark]
    methods: list[tuple[int, str]]


def scatter(heads: list[Head], rows: list[Row]) -> Scatter | None:
    """Return clean accuracy (x) against robust accuracy (y), of the columns that most models share; None for fewer
    than two models."""
    pairs = itertools.product(_columns(heads, (*CLEAN, *DECIDING), "accuracy"), _columns(heads, DECIDING, "robust"))
    best = max(
        ((_known(rows, x, y), -i, x, y) for i, (x, y) in enumerate(pairs)),
        key=lambda p: (len(p[0]), p[1]),
        default=None,
    )
    if best is None or len(best[0]) < 2:
        return None
    known, _, x, y = best
    across = Axis.around([float(end) for _, a, _ in known for end in (a.low, a.high)])
    up = Axis.around([float(end) for _, _, b in known for end in (b.low, b.high)])
    marks = [
        Mark(
            row,
            across.x(a.value),
            up.y(b.value),
            across.x(float(a.low)),
            across.x(float(a.high)),
            up.y(float(b.low)),
            up.y(float(b.high)),
            kind_of(row.method),
            f"{row.model}: {heads[x].title} {_with_interval(a)}; {heads[y].title} {_with_interval(b)}",
        )
        for row, a, b in known
    ]
    methods = sorted({(kind_of(row.method), row.method) for row, _, _ in known})
    return Scatter(across, up, heads[x], heads[y], _labelled(marks), methods)


def _with_interval(number: ShownNumber) -> str:
    return f"{number.text} % [{number.low}, {number.high}], n {number.n:,}"


def short(name: str, length: int = 28) -> str:
    """Shorten a long name in its middle."""
    return name if len(name) <= length else f"{name[: length // 2 - 1]}…{name[-(length // 2) :]}"


def _labelled(marks: list[Mark]) -> list[Mark]:
    """Label the highest marks first, each to its right or left if there is room."""
    taken = [(m.x - 6, m.y - 6, m.x + 6, m.y + 6) for m in marks]
    found = []
    for mark in sorted(marks, key=lambda m: m.y):
        width = 7.0 * len(short(mark.row.model))
        right, left = (mark.x + 9, mark.x + 9 + width), (mark.x - 9 - width, mark.x - 9)
        for turned, (start, end) in ((False, right), (True, left)):
            box = (start, mark.y - 14, end, mark.y + 1)
            if start >= LEFT and end <= WIDTH and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                mark = replace(mark, label=short(mark.row.model), turned=turned)
                break
        found.append(mark)
    return found


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _columns(heads: list[Head], suites: Sequence[str], kind: str) -> list[int]:
    """Return columns of clean (`accuracy`) or `robust` accuracy, in the order of `suites`."""
    metrics = ("robust_accuracy",) if kind == "robust" else ("accuracy", "clean_accuracy")
    return [i for name in suites for i, h in enumerate(heads) if h.column.suite == name and h.column.metric in metrics]


def _known(rows: list[Row], x: int, y: int) -> list[tuple[Row, ShownNumber, ShownNumber]]:
    both = [(row, row.numbers[x], row.numbers[y]) for row in rows]
    return [(r, a, b) for r, a, b in both if a and b and math.isfinite(a.value) and math.isfinite(b.value)]


def kind_of(method: str) -> int:
    """Return the number of a method's colour and mark."""
    return METHODS.index(method) if method in METHODS else len(METHODS)


@dataclass(frozen=True)
class HeatMap:
    """Error in percent by corruption (rows) and severity, and the mean over severities; NaN if not measured. `ends` has
    each error's interval and n, corruption by corruption, as texts; None if not measured."""

    suite: str
    rows: list[tuple[str, list[float], float]]
    ends: list[list[tuple[str, str, str, int] | None]] = field(default_factory=list)


def heat_map(conditions: pd.DataFrame, suite: str) -> HeatMap | None:
    """Make the map from one model's rows of single conditions in one suite."""
    found: dict[str, dict[int, tuple[float, float, float, int]]] = {}
    for row in conditions.to_dict("records"):
        name = Condition.parse(row["condition"])
        if name.severity and not name.attack and not name.probes:
            value, high, low = (100 * (1 - float(row[part])) for part in ("value", "low", "high"))
            found.setdefault(name.corruption, {})[name.severity] = (value, low, high, int(row.get("n", 0)))
    order = [*(c for c in CORRUPTIONS if c in found), *sorted(set(found) - set(CORRUPTIONS))]
    if not order:
        return None
    errors = [[found[name][s][0] if s in found[name] else math.nan for s in SEVERITIES] for name in order]
    ends = [[_ends(found[name].get(s)) for s in SEVERITIES] for name in order]
    table = zip(order, errors, strict=True)
    return HeatMap(suite, [(n.replace("_", " "), e, sum(e) / len(e)) for n, e in table], ends)


def _ends(error: tuple[float, float, float, int] | None) -> tuple[str, str, str, int] | None:
    return None if error is None else (figure(error[0]), figure(error[1]), figure(error[2]), error[3])


@dataclass(frozen=True)
class ChartPoint:
    """One budget of a security curve: `eps` in 1/255 (Linf) or unscaled (L2), accuracy with its interval."""

    eps: float
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Curve:
    """Accuracy against the attack's budget; the first point is the clean accuracy at 0."""

    attack: str
    unit: str
    points: list[ChartPoint]

    @property
    def count(self) -> str:
        """Return the number of images of the points: `200`, or `40 to 200`."""
        counts = sorted({point.n for point in self.points})
        return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"

    @property
    def horizontal(self) -> Axis:
        """Budgets."""
        return Axis.around([point.eps for point in self.points])

    @property
    def vertical(self) -> Axis:
        """Percent."""
        return Axis(0, 100, (0, 20, 40, 60, 80, 100))


def curves(conditions: pd.DataFrame) -> list[Curve]:
    """Return the security curves of one model in one suite: one for each attack with two budgets or more, with one
    step size or one proportional to the budget."""
    clean: list[ChartPoint] = []
    attacks: dict[AttackFields, list[tuple[AttackFields, ChartPoint]]] = {}
    for row in conditions.to_dict("records"):
        name = Condition.parse(row["condition"])
        value, low, high = (100 * float(row[part]) for part in ("value", "low", "high"))
        attack = name.attack
        point = ChartPoint(_budget(attack), value, low, high, int(row.get("n", 0)))
        if attack and not name.probes:
            attacks.setdefault(replace(attack, eps=Fraction(0), step_size=None), []).append((attack, point))
        elif not name.probes and not name.severity:
            clean = [point]
    return [curve for made in attacks.values() for curve in _curves(made, clean)]


def _budget(attack: AttackFields | None) -> float:
    """Return the budget for display: in 1/255 for Linf."""
    return 0.0 if attack is None else float(attack.eps * (255 if attack.norm == "linf" else 1))


def _curves(made: list[tuple[AttackFields, ChartPoint]], clean: list[ChartPoint]) -> Iterator[Curve]:
    """Return the key of attacks that differ only in budget and step size."""
    attack = made[0][0]
    relative = {a.step_size / a.eps if a.step_size is not None and a.eps else None for a, _ in made}
    grows = len({a.step_size for a, _ in made}) > 1 and len(relative) == 1 and None not in relative
    by_step: dict[Fraction | None, list[tuple[AttackFields, ChartPoint]]] = {}
    for pair in made:
        by_step.setdefault(None if grows else pair[0].step_size, []).append(pair)
    for step, members in by_step.items():
        one = replace(members[0][0], step_size=step)
        without = str(one).replace(f"-eps{spell(one.eps, one.norm)}", "")
        label = f"{without}, step {float(next(iter(relative)) or 0):g} eps" if grows else without
        points = sorted([*clean, *(point for _, point in members)], key=lambda p: p.eps)
        if len(members) > 1:
            yield Curve(label, "1/255" if attack.norm == "linf" else attack.norm, points)
