"""The numbers of a results folder as rows; `bench.results` returns them as a frame."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.text import escape_unprintable


class ResultRow(NamedTuple):
    """A number of the table of `results`."""

    model: str
    suite: str
    condition: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    unscored: int
    unit: str
    protocol: str
    subset: str
    reliability: str
    because: str
    version: int


RESULT_COLUMNS = ResultRow._fields

DOUBTS = ("unreliable", "doubtful", "not assessed")
"""Verdicts that are reported with their reasons."""


@dataclass
class ResultRows:
    """All rows, `problems` (what is missing or damaged), `unanswered` (which measured suites have no headline), and
    `remarks` on models (other weights than the card's)."""

    rows: list[ResultRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def dictionaries(self) -> list[dict[str, Any]]:
        """Return the rows by the names of their columns."""
        return [row._asdict() for row in self.rows]


def remarks(rows: Iterable[Mapping[str, Any]], on_models: Iterable[str] = ()) -> list[str]:
    """Return a line for each doubted number and for each subset, and the remarks on models."""
    kept = list(rows)
    doubts = {
        f"{row['reliability']}: {row['model']}, {row['suite']}: {row['because']}"
        for row in kept
        if row["reliability"] in DOUBTS
    }
    subsets = {f"subset of {row['suite']}: {row['subset']}" for row in kept if row["subset"]}
    return [escape_unprintable(line) for line in (*sorted(doubts), *sorted(subsets), *on_models)]
