"""The table of `bench.results`: its columns, and how it shows itself."""

from typing import NamedTuple

import pandas as pd

from bench.layout import TextColumn
from bench.readable import ReadableFrame
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


class ResultsTable(ReadableFrame):
    """The table of `results`: a pandas DataFrame with the columns of `ResultRow`."""

    SHOWN = (
        TextColumn("model", heading=True),
        TextColumn("suite"),
        TextColumn("condition"),
        TextColumn("metric"),
        TextColumn("value", right=True),
        TextColumn("low", right=True),
        TextColumn("high", right=True),
        TextColumn("n", right=True),
        TextColumn("unscored", right=True),
        TextColumn("unit", spare=1),
        TextColumn("reliability", spare=2),
    )
    HIDDEN = ("protocol", "subset", "because", "version")

    def texts(self, rows: pd.DataFrame) -> list[list[str]]:
        """The cells; no unscored images are no text."""
        return super().texts(rows.assign(unscored=rows["unscored"].map(lambda n: n or "")))

    def remarks(self) -> list[str]:
        """What a number alone does not say: doubts, subsets, and what is incomplete."""
        return remarks(self)


def remarks(frame: pd.DataFrame) -> list[str]:
    """Return a line for each doubted number, each subset, and each incomplete result."""
    doubted = frame[frame["reliability"].isin(DOUBTS)]
    chosen = frame[frame["subset"] != ""]
    doubts = {f"{r}: {m}, {s}: {b}" for r, m, s, b in doubted[["reliability", "model", "suite", "because"]].to_numpy()}
    subsets = {f"subset of {suite}: {subset}" for suite, subset in chosen[["suite", "subset"]].to_numpy()}
    problems = [f"incomplete: {problem}" for problem in frame.attrs.get("problems", [])]
    return [escape_unprintable(line) for line in (*sorted(doubts), *sorted(subsets), *problems)]
