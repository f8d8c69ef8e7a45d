"""The papers' numbers with their sources (results/published.csv), selected for figures."""

from collections.abc import Iterable
from typing import Any

from bench.published.table import Published, published_table

FEATURE_DENOISING = "1812.03411"
INTRIGUING = "1906.03787"
SAT = "2006.14536"
ADVPROP = "1911.09665"
NOFROST = "2207.01156"
"""arXiv numbers of the papers, as in a row's `paper`."""

TITLES = {
    "intriguing": ("Intriguing Properties of Adversarial Training at Scale", INTRIGUING),
    "sat": ("Smooth Adversarial Training", SAT),
    "advprop": ("Adversarial Examples Improve Image Recognition", ADVPROP),
    "nofrost": ("Removing Batch Normalization Boosts Adversarial Training", NOFROST),
}
"""Title and arXiv number of each method's paper."""


def find(
    paper: str, metric: str, *, method: str = "", model: str = "", source: str = "", **fields: Any
) -> list[Published]:
    """Return the rows of one paper and metric that its authors published.

    method, model, source: substrings of the row's fields
    fields: fields of the number, which must be equal
    """
    return [
        row
        for row in published_table()
        if paper in row.paper
        and row.number.metric == metric
        and row.number.by == "authors"
        and method in row.method
        and model in row.model
        and source in row.number.source
        and all(getattr(row.number, name) == value for name, value in fields.items())
    ]


def points(figure: str) -> dict[str, list[Published]]:
    """Return the published points of one of our figures by series, in the table's order."""
    found: dict[str, list[Published]] = {}
    for row in published_table():
        if row.figure == figure:
            found.setdefault(row.method, []).append(row)
    return found


def readings(rows: Iterable[Published]) -> str:
    """Return how `rows` were read, for a caption: `printed and by pixel`."""
    return " and ".join(dict.fromkeys(row.number.reading for row in rows))


def sources(rows: Iterable[Published]) -> str:
    """Return the sources of `rows`, for a caption."""
    return "; ".join(dict.fromkeys(row.number.source for row in rows))
