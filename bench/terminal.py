"""Tables for a terminal, and the same rows for a pipe or a file."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.condition import Condition
from bench.formats import Rows, choose, render
from bench.layout import TextColumn, lay_out, paragraph, terminal_width
from bench.text import escape_unprintable

if TYPE_CHECKING:
    import argparse

    import pandas as pd


@dataclass(frozen=True)
class HowShown:
    """Options for a command's table: `format` of `bench.formats.FORMATS`, or "" to choose by the output; `columns`
    as typed; `wide` shows every column."""

    format: str = ""
    columns: str = ""
    wide: bool = False

    @classmethod
    def of(cls, arguments: "argparse.Namespace") -> "HowShown":
        """Read the arguments of `bench.formats.add_table_arguments`."""
        return cls(arguments.format or "", arguments.columns or "", arguments.wide)

    @property
    def kind(self) -> str:
        """The format: a table at a terminal, tab-separated rows otherwise."""
        return self.format or ("table" if sys.stdout.isatty() else "tsv")

    @property
    def is_for_people(self) -> bool:
        """Whether remarks may follow the rows."""
        return self.kind == "table"


def rows(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return the frame's rows as dictionaries."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def show(
    columns: Sequence[TextColumn], texts: Rows, how: HowShown, raw: Rows | None = None, caption: str = ""
) -> list[str]:
    """Print a table: `texts`, by the names of `columns`, for people, Markdown and LaTeX; `raw` (default: the texts) for
    machines. Return the names of the columns shown. Raises `UsageError` for an unknown column."""
    if how.kind == "table":
        return print_table(columns, texts, how)
    given = texts if raw is None or how.kind not in MACHINES else raw
    known = list(given[0]) if given and given is raw else [column.name for column in columns]
    names = choose(known, how.columns)
    print(render([{name: row[name] for name in names} for row in given], how.kind, caption), end="")
    return names


def print_table(columns: Sequence[TextColumn], texts: Rows, how: HowShown = HowShown()) -> list[str]:
    """Print a table that fits the terminal; into a pipe or file, print all columns on unbroken lines. Return the
    names of the columns shown."""
    asked = choose([column.name for column in columns], how.columns)
    chosen = [next(c for c in columns if c.name == name) for name in asked]
    if how.columns:
        chosen = [TextColumn(column.name, column.right) for column in chosen]
    cells = [[escape_unprintable(str(row[column.name])) for column in chosen] for row in texts]
    table = lay_out(chosen, cells, None if how.wide else terminal_width())
    print("\n".join(table.lines))
    if table.left_out:
        print(paragraph(f"not shown: {', '.join(table.left_out)}; --wide shows every column, --columns chooses", 2))
    return [column.name for column in chosen if column.name not in table.left_out]


MACHINES = ("csv", "tsv", "json")
"""Formats that print rows unchanged, without texts."""

RESULT_COLUMNS = (
    TextColumn("model", heading=True),
    TextColumn("suite"),
    TextColumn("condition"),
    TextColumn("metric"),
    TextColumn("value", right=True),
    TextColumn("interval", right=True),
    TextColumn("n", right=True),
    TextColumn("unscored", right=True),
    TextColumn("protocol", spare=3),
    TextColumn("reliability", spare=2),
)


_AS_THEY_ARE = ("model", "suite", "condition", "metric", "n", "protocol", "reliability", "subset")


def print_results(raw: Rows, remarks: Iterable[str], how: HowShown | None = None) -> None:
    """Print a suite's metrics, and the accuracy of each of its conditions (single severities only in the other
    formats), with 95 % intervals, and the remarks on them. In a file, where no remarks follow, a column says which part
    of a set a number is of."""
    how = how or HowShown("table")
    texts = [] if how.kind in MACHINES else [_texts(row) for row in _condensed(raw)]
    part = [TextColumn("subset")] if any(row["subset"] for row in raw) and not how.is_for_people else []
    show([*RESULT_COLUMNS, *part], texts, how, raw, "95 % intervals; n images")
    for said in remarks:
        if how.is_for_people:
            print(paragraph(said, 2))
        else:
            print(said, file=sys.stderr)


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    from bench.metrics.base import Shown

    shown = Shown.of(row["unit"])
    return {
        **{name: str(row[name]) for name in _AS_THEY_ARE},
        "value": f"{shown.text(row['value'])} {shown.sign}",
        "interval": f"{shown.text(row['low'])} .. {shown.text(row['high'])}",
        "unscored": str(row["unscored"] or ""),
    }


def _condensed(raw: Rows) -> list[Mapping[str, Any]]:
    """Drop single severities, and a suite's only condition, since its metrics contain it."""
    conditions: dict[tuple[str, str], set[str]] = {}
    for row in raw:
        conditions.setdefault((row["model"], row["suite"]), set()).update({row["condition"]} - {"all"})
    return [
        row
        for row in raw
        if row["condition"] == "all"
        or (len(conditions[row["model"], row["suite"]]) > 1 and not Condition.parse(row["condition"]).severity)
    ]
