"""The papers' numbers with their sources (results/published.csv), as figures draw them."""

import csv
import functools
from dataclasses import dataclass

from bench.published.outside import NOT_EVIDENCE
from bench.published.shipped import shipped

FEATURE_DENOISING = "Feature Denoising (1812.03411)"
SAT = "Smooth Adversarial Training (2006.14536)"
ADVPROP = "AdvProp (1911.09665)"
NOFROST = "NoFrost (2207.01156)"


@dataclass(frozen=True)
class Reference:
    """One published number: what of which model under which protocol, and where it stands."""

    paper: str
    method: str
    model: str
    metric: str
    protocol: str
    value: float
    unit: str
    source: str


@functools.cache
def references() -> tuple[Reference, ...]:
    """All rows that are evidence: nobody's recollection, nothing derived here."""
    with shipped("published.csv").open(encoding="utf-8", newline="") as file:
        rows = [Reference(**{**row, "value": float(row["value"])}) for row in csv.DictReader(file)]  # type: ignore[arg-type]
    return tuple(row for row in rows if not any(word in row.source.lower() for word in NOT_EVIDENCE))


def find(
    paper: str, metric: str, *, method: str = "", model: str = "", protocol: str = "", source: str = ""
) -> list[Reference]:
    """The rows of one paper and metric; the other arguments are pieces of what stands there."""
    return [
        row
        for row in references()
        if (row.paper, row.metric) == (paper, metric)
        and method in row.method
        and model in row.model
        and protocol in row.protocol
        and source in row.source
    ]


def sources(rows: list[Reference]) -> str:
    """Where `rows` were read, for a caption."""
    return "; ".join(dict.fromkeys(row.source for row in rows))
