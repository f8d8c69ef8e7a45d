"""`bench leaderboard`: one row per model, one group of columns per suite's headline."""

from pathlib import Path
from typing import Any

import pandas as pd

from bench.reports.folder import ResultsFolder
from bench.reports.tables import results
from bench.suites.registry import SUITES

PARTS = ("", "_low", "_high", "_n", "_protocol")
"""What travels with each number: the value, its 95 % interval, n, and the protocol's hash."""


def leaderboard(directory: str | Path) -> pd.DataFrame:
    """One row per model: what it is, then each suite's headline with interval, n and protocol, and `SUITE_reliability`
    for those under attack.

    A column never mixes protocols: where a suite was measured under several, the one with the most models, then the
    most images, is shown, and `frame.attrs["notes"]` names what is left out. Shares are in percent.
    """
    folder = ResultsFolder(str(directory))
    about = {run.model: run.about for run in folder.suite_runs()}
    rows: dict[str, dict[str, Any]] = {
        model: {"model": model, **{k: about[model][k] for k in ("method", "architecture", "parameters")}}
        for model in sorted(about)
    }
    frame = results(directory)
    notes = list(frame.attrs["problems"])
    for suite, metric in _headlines(frame):
        chosen, others = _one_protocol(frame[(frame["suite"] == suite) & (frame["metric"] == metric)])
        notes += [f"{suite} {metric}: {other} was measured under another protocol and is not shown" for other in others]
        name = f"{suite}_{metric}"
        for row in chosen.to_dict("records"):
            scale = 1.0 if row["unit"] == "%" else 100.0
            values = (row["value"] * scale, row["low"] * scale, row["high"] * scale, row["n"], row["protocol"])
            rows[row["model"]] |= {f"{name}{part}": value for part, value in zip(PARTS, values, strict=True)}
            if row["reliability"]:
                rows[row["model"]][f"{suite}_reliability"] = row["reliability"]
                notes += _doubts(row)
    board = pd.DataFrame(list(rows.values()))
    board.attrs["notes"] = notes
    return board


def _doubts(row: dict[Any, Any]) -> list[str]:
    """Why a number should not be believed, if it should not."""
    if row["reliability"] == "reliable":
        return []
    return [f"{row['model']}, {row['suite']}: {row['reliability']}, because {row['because']}"]


def _headlines(frame: pd.DataFrame) -> list[tuple[str, str]]:
    present = list(dict.fromkeys(frame["suite"]))
    return [(name, SUITES[name].headline) for name in SUITES if name in present]


def _one_protocol(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of one protocol, and the names of models that are measured under others only."""
    if rows.empty:
        return rows, []
    rows = rows[rows["condition"] == "all"]
    groups = rows.groupby("protocol").agg(models=("model", "nunique"), n=("n", "max")).reset_index()
    best = groups.sort_values(["models", "n", "protocol"], ascending=[False, False, True])["protocol"].iloc[0]
    chosen = rows[rows["protocol"] == best].drop_duplicates("model")
    return chosen, sorted(set(rows["model"]) - set(chosen["model"]))


def readable(board: pd.DataFrame) -> pd.DataFrame:
    """For people: `75.1 [74.3, 75.9] n=50000` in one cell, protocol hashes in the header."""
    table = board[["model", "method", "architecture"]].copy()
    for name in [c.removesuffix("_protocol") for c in board.columns if c.endswith("_protocol")]:
        hashes = board[f"{name}_protocol"].dropna().unique()
        table[f"{name} % ({', '.join(hashes)})"] = [_cell(row, name) for row in board.to_dict("records")]
    for name in [c for c in board.columns if c.endswith("_reliability")]:
        table[name] = board[name].fillna("")
    return table


def _cell(row: dict[Any, Any], name: str) -> str:
    if pd.isna(row.get(name)):
        return ""
    return f"{row[name]:.1f} [{row[f'{name}_low']:.1f}, {row[f'{name}_high']:.1f}] n={row[f'{name}_n']:.0f}"


def to_markdown(board: pd.DataFrame) -> str:
    """As a Markdown table."""
    table = readable(board)
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def to_latex(board: pd.DataFrame) -> str:
    """As a LaTeX tabular (booktabs)."""
    return str(readable(board).to_latex(index=False, escape=True))
