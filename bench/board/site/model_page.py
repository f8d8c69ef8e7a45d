"""The contents of a model's page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from bench.board.columns import rows_of
from bench.board.leaderboard import Board
from bench.board.site.charts import Curve, HeatMap, curves, heat_map
from bench.board.site.command import repeat
from bench.board.site.view import SHORT, Head, Row, figure
from bench.condition import Condition
from bench.folder.reader import SuiteRun
from bench.folder.suites import suite_protocol
from bench.folder.survey import Survey
from bench.manifest import RunModel
from bench.metrics.selection import part_of
from bench.published.comparability import beside
from bench.published.table import Published
from bench.rounding import decimal
from bench.suites.registry import SUITES
from model_zoo.card import ModelCard


@dataclass(frozen=True)
class ResultLine:
    """One number of a suite: `what` is a metric or a condition."""

    what: str
    text: str
    low: str
    high: str
    n: int
    unscored: int
    unit: str
    protocol: str


@dataclass(frozen=True)
class SuiteSection:
    """One suite as measured by one run: numbers, charts, protocol, and the command that repeats them."""

    anchor: str
    suite: str
    title: str
    about: str
    headline: ResultLine | None
    metrics: list[ResultLine]
    conditions: list[ResultLine]
    reliability: str
    because: str
    subset: str
    shown: bool
    protocol: str
    protocols: list[dict[str, Any]]
    command: str
    run: str
    heat: HeatMap | None
    curves: list[Curve]
    attacked: bool


@dataclass(frozen=True)
class Reported:
    """A published number, and the comparable number measured here, if any."""

    metric: str
    value: str
    unit: str
    by: str
    protocol: str
    source: str
    measured: str
    difference: str
    anchor: str


@dataclass(frozen=True)
class ModelPage:
    """Everything on a model's page."""

    row: Row
    card: ModelCard | None
    about: RunModel
    sections: list[SuiteSection]
    reported: list[Reported]
    problems: list[str]
    runs: list[SuiteRun]
    table: pd.DataFrame


def model_page(board: Board, heads: list[Head], row: Row, table: pd.DataFrame, runs: list[SuiteRun]) -> ModelPage:
    """The page of `row`; `table` and `runs` are those of this model alone."""
    found = board.survey
    shown = {head.column.protocol for head, number in zip(heads, row.numbers, strict=True) if number}
    order = [head.column.suite for head in heads]
    runs = sorted(runs, key=lambda run: order.index(run.suite) if run.suite in order else len(order))
    sections = _unique([_section(found, run, table, shown) for run in runs])
    about = runs[0].about if runs else RunModel()
    reported = [_reported(number, board, heads, row) for number in board.known.get(row.model, [])]
    problems = [p.removeprefix(f"{row.model}, ") for p in found.problems if p.startswith(f"{row.model}, ")]
    return ModelPage(row, about.card(row.model), about, sections, reported, problems, runs, table)


def _unique(sections: list[SuiteSection | None]) -> list[SuiteSection]:
    """Return sections with unique anchors, those on the leaderboard first and with the suite's plain name."""
    taken: dict[str, int] = {}
    found = []
    for section in sorted(filter(None, sections), key=lambda s: not s.shown):
        count = taken[section.suite] = taken.get(section.suite, 0) + 1
        anchor = section.suite if count == 1 else f"{section.suite}-{count}"
        found.append(SuiteSection(**{**vars(section), "anchor": anchor}))
    return found


def _section(found: Survey, run: SuiteRun, table: pd.DataFrame, shown: set[str]) -> SuiteSection | None:
    cells = [found.cell(cell_id) for cell_id in run.cells.values() if cell_id in found.folder.cells]
    hashes = {cell.protocol.hash for cell in cells}
    rows = table[(table["suite"] == run.suite) & (table["version"] == run.version)]
    conditions = rows[(rows["condition"] != "all") & rows["protocol"].isin(hashes)]
    whole = rows[(rows["condition"] == "all") & (rows["protocol"] == suite_protocol([c.protocol for c in cells]))]
    if conditions.empty:
        return None
    suite = SUITES.get(run.suite)
    metrics = [_line(r, r["metric"]) for r in whole.to_dict("records")]
    headline = next((line for line in metrics if suite and line.what == suite.headline), None)
    doubted = whole[whole["reliability"] != ""]
    protocol = str(whole["protocol"].iloc[0]) if len(whole) else ""
    return SuiteSection(
        "",
        run.suite,
        SHORT.get(run.suite, run.suite),
        suite.title if suite else "",
        headline,
        metrics,
        [_line(r, r["condition"]) for r in conditions.to_dict("records")],
        str(doubted["reliability"].iloc[0]) if len(doubted) else "",
        str(doubted["because"].iloc[0]) if len(doubted) else "",
        "; ".join(sorted(set(conditions["subset"]) - {""})),
        protocol in shown,
        protocol,
        [asdict(cell.protocol) | {"hash": cell.protocol.hash, "seed": cell.seed} for cell in cells],
        repeat(run.name, run.suite, run.given),
        run.run,
        heat_map(conditions, run.suite),
        curves(conditions),
        any(Condition.parse(name).attack for name in conditions["condition"]),
    )


def _line(row: Mapping[Any, Any], what: str) -> ResultLine:
    scale, unit = (100.0, "%") if row["unit"] == "share" else (1.0, row["unit"])
    value, low, high = (figure(float(row[part]) * scale, unit) for part in ("value", "low", "high"))
    return ResultLine(what, value, low, high, int(row["n"]), int(row["unscored"]), unit, row["protocol"])


def _part(board: Board, head: Head, row: Row) -> str:
    """Return which part of its images a column's number is of; empty for all."""
    return next((part_of(r.subset) for r in rows_of(board.survey, head.column) if r.model == row.model), "")


def _reported(published: Published, board: Board, heads: list[Head], row: Row) -> Reported:
    number = published.number
    measured = difference = anchor = ""
    for head, mine in zip(heads, row.numbers, strict=True):
        conditions = [cell.protocol.condition for cell in board.survey.cells_of(head.column.protocol)]
        size = int(row.resolution or 0)
        value = beside(published, head.column.suite, head.column.metric, head.column.protocol, conditions, size)
        if value is not None and mine:
            measured, anchor = f"{mine.text} [{mine.low}, {mine.high}], n {mine.n:,}", head.column.suite
            if part := _part(board, head, row):
                measured += f": {part}"
            else:
                difference = f"{decimal(mine.value - value, '+.1f')}"
            break
    unit = "" if number.unit == number.metric else number.unit
    return Reported(
        number.metric, f"{number.value:g}", unit, number.by, number.under(), number.source, measured, difference, anchor
    )
