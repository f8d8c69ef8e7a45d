"""What the comparison page needs to test any two models: a few numbers a pair, never the records themselves."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.board.columns import metric_of, shares_of
from bench.board.site.charts import HeatMap
from bench.board.site.view import Head, Row, is_mean
from bench.folder.survey import Survey
from bench.metrics.estimate import LEVEL
from bench.metrics.ranks import adjusted_p, paired_p
from bench.text import escape_unprintable


def payload(found: Survey, heads: list[Head], rows: list[Row], maps: dict[str, list[HeatMap]]) -> dict[str, Any]:
    """Write as JSON the models, each column's values and pairs, and the corruption errors by suite and model."""
    return {
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
        "protocol": head.column.protocol,
        "values": [[n.text, n.low, n.high, n.n] if n else None for n in numbers],
    }
    return data | (_pairs(found, head, rows) if is_mean(head) else {})


def _pairs(found: Survey, head: Head, rows: list[Row]) -> dict[str, Any]:
    """Return, for shares that are right or wrong, the counts of images right under both, else each pair's spread and p;
    and p corrected over all pairs of the column, as the ranks have it.

    `place` says where a model stands in the triangle: row i of it holds i + 1 entries (and the diagonal).
    """
    shares = shares_of(found, head.column)
    names = list(shares.columns)
    if not names or not len(shares):
        return {}
    place = [names.index(row.model) if row.model in names else None for row in rows]
    values = shares.to_numpy()
    common = {"place": place, "n": len(values), "holm": _triangle(adjusted_p(values), 6)}
    if np.isin(values, (0.0, 1.0)).all():
        return common | {"both": _triangle(values.T @ values, 0)}
    from scipy.special import stdtrit

    scale = 100.0 if metric_of(head.column).unit == "share" else 1.0
    spread = _spread(values) * scale
    critical = float(stdtrit(len(values) - 1, 0.5 + LEVEL / 2)) if len(values) > 1 else math.nan
    means = [float(f"{mean:.6g}") for mean in values.mean(0) * scale]
    return common | {"means": means, "half": _triangle(critical * spread, 4), "p": _triangle(paired_p(values), 3)}


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard error of every pair's mean difference."""
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    own = np.diag(covariance)
    variance = np.maximum(own[:, None] + own - 2 * covariance, 0)
    return np.asarray(np.sqrt(variance / len(values)))


def _triangle(matrix: NDArray[np.float64], digits: int) -> list[float | None]:
    """The lower triangle with the diagonal, row by row; whole numbers for 0 digits, else so many significant ones."""
    flat = matrix[np.tril_indices(len(matrix))]
    if digits == 0:
        return [int(v) for v in np.rint(flat)]
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in flat]


def _errors(maps: dict[str, list[HeatMap]], rows: list[Row]) -> dict[str, dict[str, Any]]:
    """suite -> corruption names, and by model its errors row by row (null where not measured)."""
    found: dict[str, dict[str, Any]] = {}
    for index, row in enumerate(rows):
        for heat in maps.get(row.model, []):
            names = [name for name, _, _ in heat.rows]
            entry = found.setdefault(heat.suite, {"names": names, "by": {}})
            if entry["names"] == names:
                values = [round(v, 1) if math.isfinite(v) else None for _, errors, _ in heat.rows for v in errors]
                entry["by"][index] = values
    return found
