"""A leaderboard as text: for a terminal, Markdown and LaTeX."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.formats import latex_table, render
from bench.layout import TextColumn
from bench.rounding import decimal


def readable(board: pd.DataFrame) -> pd.DataFrame:
    """Format for people: `1. 75.1 [74.3, 75.9] n=50000` in one cell (the rank first), attack and protocol
    hashes in the header, then claimed and outside numbers."""
    table = board[["model", "method", "architecture"]].fillna("").copy()
    for name in numbers(board):
        how = board.attrs.get("about", {}).get(name, "")
        hashes = ", ".join(board[f"{name}_protocol"].dropna().unique())
        table[f"{name} ({'; '.join(filter(None, (how, hashes)))})"] = [
            _cell(row, name) for row in board.to_dict("records")
        ]
        for kind in ("claimed", "outside"):
            if f"{name}_{kind}" in board:
                table[f"{name} {kind}"] = ["" if pd.isna(v) else decimal(v) for v in board[f"{name}_{kind}"]]
    for name in [c for c in board.columns if c.endswith("_reliability")]:
        table[name] = board[name].fillna("")
    return table


def numbers(board: pd.DataFrame) -> list[str]:
    """Return the names of the measured columns, in order."""
    return [c.removesuffix("_protocol") for c in board.columns if c.endswith("_protocol")]


def for_terminal(board: pd.DataFrame) -> tuple[list[TextColumn], list[dict[str, str]]]:
    """Return the columns of a terminal's table and its rows: a number with its rank, the interval below it. The column
    that orders the models is never left out; of the others, those with the fewest models are left out first."""
    measured = numbers(board)
    order = board.attrs.get("order")
    kept = sorted(measured, key=lambda name: (name != order, -board[name].notna().sum()))
    columns = [TextColumn("model"), TextColumn("method", spare=99), TextColumn("architecture", spare=100)]
    columns += [TextColumn(name, right=True, spare=min(kept.index(name), 98)) for name in measured]
    rows = []
    for row in board.to_dict("records"):
        texts = {name: "" if pd.isna(row[name]) else str(row[name]) for name in ("model", "method", "architecture")}
        rows.append(texts | {name: _cell(row, name, "\n", count=False) for name in measured})
    return columns, rows


def legend(board: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the lines below a terminal's table on the columns `names`: attack, direction and number of images."""
    order = board.attrs.get("order")
    lines = [
        "before each value its rank where models are told apart, below it its 95 % interval"
        + (f"; best first by {order}" if order else "")
    ]
    told = board.attrs.get("about", {})
    return lines + [f"{name}: " + ", ".join(filter(None, (told.get(name, ""), counts(board, name)))) for name in names]


def counts(board: pd.DataFrame, name: str) -> str:
    """Return the number of images of a column: `n 200`, or a range."""
    found = board[f"{name}_n"].dropna()
    low, high = (f"{found.min():.0f}", f"{found.max():.0f}") if len(found) else ("0", "0")
    return f"n {low if low == high else f'{low} to {high}'}"


def _cell(row: dict[Any, Any], name: str, between: str = " ", *, count: bool = True) -> str:
    if pd.isna(row.get(name)):
        return ""
    rank = row.get(f"{name}_rank")
    place = "" if rank is None or pd.isna(rank) else f"{rank:.0f}. "
    n = f" n={row[f'{name}_n']:.0f}" if count else ""
    return f"{place}{decimal(row[name])}{between}{_interval(row, name)}{n}"


def doubt(row: Mapping[Any, Any], name: str) -> str:
    """Return the verdict on a number under attack that is not simply reliable; empty for others."""
    verdict = "" if name.endswith("_clean_accuracy") else row.get(f"{name.partition('_')[0]}_reliability")
    return "" if pd.isna(verdict) or verdict == "reliable" else str(verdict)


def _interval(row: dict[Any, Any], name: str) -> str:
    return f"[{decimal(row[f'{name}_low'])}, {decimal(row[f'{name}_high'])}]"


def to_markdown(board: pd.DataFrame) -> str:
    """Format as a Markdown table."""
    table = readable(board)
    return render([{str(k): v for k, v in row.items()} for row in table.to_dict("records")], "markdown")


def to_latex(board: pd.DataFrame) -> str:
    """Format as a LaTeX table (booktabs, siunitx): a column of numbers and one of intervals for each measurement.
    The caption gives its protocol and number of images."""
    measured = numbers(board)
    kinds, names = ["l", "l"], ["Model", "Method"]
    for name in measured:
        kinds += ["S[table-format=3.1]", "l"]
        names += [name.replace("_", " "), "95 % interval"]
    rows = []
    for row in board.to_dict("records"):
        texts = ["" if pd.isna(row[name]) else str(row[name]) for name in ("model", "method")]
        for name in measured:
            said = " ".join(filter(None, (_interval(row, name), doubt(row, name))))
            texts += ["", ""] if pd.isna(row.get(name)) else [decimal(row[name]), said]
        rows.append(texts)
    return latex_table(kinds, names, rows, " ".join(_said(board, name) for name in measured))


def _said(board: pd.DataFrame, name: str) -> str:
    """Return a column's part of the caption: its attack, protocol and images."""
    hashes = "protocol " + ", ".join(board[f"{name}_protocol"].dropna().unique())
    how = board.attrs.get("about", {}).get(name, "")
    return f"{name.replace('_', ' ')}: {', '.join(filter(None, (how, hashes, counts(board, name))))}."
