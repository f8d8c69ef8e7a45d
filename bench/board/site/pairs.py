"""Data with which the comparison page tests any two models: a few numbers per pair, never the records."""

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Context
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.board.columns import metric_of, shares_of
from bench.board.site.charts import HeatMap
from bench.board.site.view import Head, Row, is_mean
from bench.folder.survey import Survey
from bench.metrics.estimate import LEVEL
from bench.metrics.paired import newcombe
from bench.metrics.ranks import LEVEL as APART
from bench.metrics.ranks import adjusted_p, alone, is_binary, paired_means
from bench.rounding import decimal
from bench.text import escape_unprintable

NONE: Mapping[str, Any] = MappingProxyType({})
Matrix = NDArray[np.float64]

NOTHING = 1e-12
"""Tolerance below which a difference of means is rounding, as in the ranks' test."""


def payload(
    found: Survey,
    heads: list[Head],
    rows: list[Row],
    maps: dict[str, list[HeatMap]],
    looked_at: Mapping[str, Any] = NONE,
) -> dict[str, Any]:
    """Return as JSON the models, each column's values and pairs, the corruption errors by suite and model, and the
    images on which models differ (`looked_at`, by column)."""
    return {
        "level": APART,
        "pictures": dict(looked_at),
        "models": [{"name": escape_unprintable(row.model), "page": row.page} for row in rows],
        "columns": [_column(found, head, rows, index) for index, head in enumerate(heads)],
        "errors": _errors(maps, rows),
    }


def _column(found: Survey, head: Head, rows: list[Row], index: int) -> dict[str, Any]:
    numbers = [row.numbers[index] for row in rows]
    data: dict[str, Any] = {
        "title": head.title,
        "name": head.id,
        "unit": head.unit,
        "lower": head.lower_is_better,
        "mean": is_mean(head),
        "protocol": head.column.protocol,
        "values": [[n.text, n.low, n.high, f"{n.n:,}"] if n else None for n in numbers],
    }
    return data | (_pairs(found, head, rows) if is_mean(head) else {})


def _pairs(found: Survey, head: Head, rows: list[Row]) -> dict[str, Any]:
    """Return every pair's difference (later model minus earlier) with its interval, the counts of images that only one
    of them classifies correctly, and p corrected over all pairs of the column, as for ranks.

    `place` gives a model's place in the triangles: row i of one has i entries. Differences are integers in units of
    10^-`digits` of the column's unit; `fine` has those that would read 0, with their own digits. `sign` is 1 if the
    later model's number is higher; `better` is 1 if the later model is significantly better and -1 if the earlier is;
    both are from unrounded numbers.
    """
    shares = shares_of(found, head.column)
    names = list(shares.columns)
    if len(names) < 2 or not len(shares):
        return {}
    place = [names.index(row.model) if row.model in names else None for row in rows]
    values, digits = shares.to_numpy(), 1 if head.unit == "%" else 3
    binary = is_binary(values)
    difference, low, high, n = _intervals(values, binary=binary)
    scale = 10**digits * (100.0 if metric_of(head.column).unit == "share" else 1.0)
    tests = {name: _triangle(m) for name, m in {"difference": difference, "low": low, "high": high}.items()}
    holm, signs = _triangle(adjusted_p(values)), [_sign(value) for value in tests["difference"]]
    better = -1 if head.lower_is_better else 1
    return {
        "place": place,
        "n": _one_or_all([round(count) for count in _triangle(n)]),
        "digits": digits,
        "holm": [shown_p(p) for p in holm],
        "sign": signs,
        "better": [better * sign if p < APART else 0 for sign, p in zip(signs, holm, strict=True)],
        "fine": _fine(list(zip(*tests.values(), strict=True)), signs, scale, digits),
        **{name: [_whole(scale * value) for value in ends] for name, ends in tests.items()},
        **(_alone(values) if binary else {}),
    }


def _sign(difference: float) -> int:
    """Return 1 or -1, or 0 for a difference within rounding."""
    return 0 if not abs(difference) > NOTHING else 1 if difference > 0 else -1


def _fine(
    ends: Sequence[Sequence[float]], signs: Sequence[int], scale: float, digits: int
) -> dict[int, list[int | None]]:
    """Return nonzero differences that would read 0: place -> digits, difference, low, high."""
    found = {}
    for at, (three, sign) in enumerate(zip(ends, signs, strict=True)):
        if sign and _whole(scale * three[0]) == 0:
            more = math.ceil(-math.log10(abs(scale * three[0])))  # a first digit of 1 to 9 before the point
            found[at] = [digits + more, *(_whole(scale * 10**more * value) for value in three)]
    return found


def _one_or_all(counts: list[int]) -> int | list[int]:
    """Return the count of every pair, once where all are equal."""
    return counts[0] if len(set(counts)) == 1 else counts


def _intervals(values: Matrix, *, binary: bool) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Return difference, low, high and n of every pair, row minus column: Newcombe's interval for images that are right
    or wrong, else that of the paired t-test."""
    difference, error, n = paired_means(values)
    if not binary:
        from scipy.special import stdtrit

        half = np.asarray(stdtrit(n - 1, 0.5 + LEVEL / 2)) * error
        return difference, difference - half, difference + half, n
    only, right = alone(values), (values == 1).astype(float)
    both = right.T @ right
    low, high = np.full_like(difference, math.nan), np.full_like(difference, math.nan)
    for i, j in zip(*np.tril_indices(len(both), -1), strict=True):
        together, only_i, only_j = round(both[i, j]), round(only[i, j]), round(only[j, i])
        low[i, j], high[i, j] = newcombe(together, only_i, only_j, round(n[i, j]) - together - only_i - only_j)
    return difference, low, high, n


def _alone(values: Matrix) -> dict[str, list[int | None]]:
    """Return how many images only the later, and only the earlier, model of each pair classifies correctly."""
    only = alone(values)
    return {"later": [_whole(v) for v in _triangle(only)], "earlier": [_whole(v) for v in _triangle(only.T)]}


def _whole(value: float) -> int | None:
    return int(decimal(value, ".0f")) if math.isfinite(value) else None


def shown_p(p: float) -> float | None:
    """Round up p to at least three digits, on the same side of the level."""
    if not math.isfinite(p) or p <= 0:
        return None if not math.isfinite(p) else 0.0
    for digits in range(3, 17):
        up = float(format(Context(prec=digits, rounding=ROUND_CEILING).create_decimal(repr(p)), "g"))
        if (up < APART) == (p < APART):
            return up
    return p


def _triangle(matrix: Matrix) -> list[float]:
    """Return the lower triangle without the diagonal, row by row."""
    return [float(value) for value in matrix[np.tril_indices(len(matrix), -1)]]


def _errors(maps: dict[str, list[HeatMap]], rows: list[Row]) -> dict[str, dict[str, Any]]:
    """Return suite -> corruption names, and by model its errors row by row (null if not measured)."""
    found: dict[str, dict[str, Any]] = {}
    for index, row in enumerate(rows):
        for heat in maps.get(row.model, []):
            names = [name for name, _, _ in heat.rows]
            entry = found.setdefault(heat.suite, {"names": names, "by": {}})
            if entry["names"] == names:
                values = [round(v, 3) if math.isfinite(v) else None for _, errors, _ in heat.rows for v in errors]
                entry["by"][index] = values
    return found
