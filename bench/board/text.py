"""A leaderboard as text: Markdown and LaTeX."""

import html
from typing import Any

import pandas as pd

from bench.text import escape_unprintable


def readable(board: pd.DataFrame) -> pd.DataFrame:
    """Format for people: `1. 75.1 [74.3, 75.9] n=50000` in one cell (the rank first), protocol hashes in the header,
    then what was claimed and published elsewhere."""
    table = board[["model", "method", "architecture"]].fillna("").copy()
    for name in [c.removesuffix("_protocol") for c in board.columns if c.endswith("_protocol")]:
        hashes = board[f"{name}_protocol"].dropna().unique()
        table[f"{name} ({', '.join(hashes)})"] = [_cell(row, name) for row in board.to_dict("records")]
        for kind in ("claimed", "outside"):
            if f"{name}_{kind}" in board:
                table[f"{name} {kind}"] = ["" if pd.isna(v) else f"{v:.1f}" for v in board[f"{name}_{kind}"]]
    for name in [c for c in board.columns if c.endswith("_reliability")]:
        table[name] = board[name].fillna("")
    return table


def _cell(row: dict[Any, Any], name: str) -> str:
    if pd.isna(row.get(name)):
        return ""
    rank = row.get(f"{name}_rank")
    place = "" if rank is None or pd.isna(rank) else f"{rank:.0f}. "
    return f"{place}{row[name]:.1f} [{row[f'{name}_low']:.1f}, {row[f'{name}_high']:.1f}] n={row[f'{name}_n']:.0f}"


def to_markdown(board: pd.DataFrame) -> str:
    """Format as a Markdown table."""
    table = readable(board)
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(_markdown, line)) + " |" for line in lines) + "\n"


def _markdown(cell: str) -> str:
    """No cell ends its row, or begins HTML or code."""
    escaped = html.escape(escape_unprintable(" ".join(cell.split())), quote=False).replace("&amp;", "&")
    return escaped.replace("|", "\\|").replace("`", "\\`")


def to_latex(board: pd.DataFrame) -> str:
    """Format as a LaTeX tabular (booktabs)."""
    table = readable(board).rename(columns=_one_line).map(_one_line)
    return str(table.to_latex(index=False, escape=True))


def _one_line(cell: object) -> object:
    return escape_unprintable(" ".join(cell.split())) if isinstance(cell, str) else cell
