"""Tables for a terminal."""

import sys
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.condition import Condition
from bench.metrics.base import Shown
from bench.text import escape_unprintable

LOG_WIDTH = 180
"""Columns where there is no terminal: rows of a log must not be folded."""


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as dictionaries."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def print_results(frame: pd.DataFrame) -> None:
    """A suite's metrics, and the accuracy of each of its conditions (single severities are left to `--csv`)."""
    console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH, highlight=False)
    table = Table(title="95 % intervals; n images scored", title_justify="left")
    for column in ("model", "suite", "condition", "metric"):
        table.add_column(column, overflow="fold")
    for column in ("value", "interval", "n", "unscored"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("protocol", no_wrap=True)
    table.add_column("reliability", no_wrap=True)
    for row in rows(_condensed(frame)):
        shown = Shown.of(row["unit"])
        table.add_row(
            *(escape(escape_unprintable(row[k])) for k in ("model", "suite", "condition", "metric")),
            f"{shown.text(row['value'])} {shown.sign}",
            f"{shown.text(row['low'])} .. {shown.text(row['high'])}",
            str(row["n"]),
            str(row["unscored"] or ""),
            escape(row["protocol"]),
            escape(row["reliability"]),
        )
    console.print(table)
    for doubt in sorted({_doubt(row) for row in rows(frame) if row["reliability"] in DOUBTS}):
        console.print(escape(escape_unprintable(doubt)), style="yellow")
    for subset in sorted({f"{r['suite']}: {r['subset']}" for r in rows(frame) if r["subset"]}):
        console.print(escape(escape_unprintable(f"subset of {subset}")))
    for problem in frame.attrs.get("problems", []):
        console.print(escape(escape_unprintable(f"incomplete: {problem}")), style="yellow")


DOUBTS = {"unreliable": "not to be believed", "doubtful": "doubtful", "not assessed": "not assessed"}
"""What stands before the reasons; nothing is known against a number that was not assessed."""


def _doubt(row: dict[str, Any]) -> str:
    return f"{DOUBTS[row['reliability']]}: {row['model']}, {row['suite']}: {row['because']}"


def _condensed(frame: pd.DataFrame) -> pd.DataFrame:
    """Without single severities, and without a suite's only condition, which its metrics already are."""
    single = frame[frame["condition"] != "all"].groupby(["model", "suite"])["condition"].transform("nunique") == 1
    graded = frame["condition"].map(lambda name: name != "all" and Condition.parse(name).severity > 0).astype(bool)
    return frame[~(graded | single.reindex(frame.index, fill_value=False))]
