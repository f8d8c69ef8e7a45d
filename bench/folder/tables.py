"""`bench.results`: the numbers of a results folder as a tidy pandas frame."""

import functools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.errors import IncompleteError
from bench.folder.reader import LoadedCell, ResultsFolder, SuiteRun
from bench.layout import TextColumn
from bench.metrics.accuracy import accuracy, outcomes
from bench.metrics.base import Frames, Measure, Measurements, Metric, MissingConditionError, SuiteFrames
from bench.metrics.estimate import Estimate
from bench.metrics.selection import joined, rule_of
from bench.metrics.told import with_rule
from bench.readable import ReadableFrame
from bench.record import Protocol, digest
from bench.sample import unlike
from bench.suites.base import Suite
from bench.suites.registry import SUITES
from bench.text import escape_unprintable, first_of
from bench.verdict import Verdict


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


def results(directory: str | Path, *, cells: Collection[str] | None = None) -> ResultsTable:
    """Return one row per model, suite, condition and metric, with its 95 % interval, n and protocol hash, by model.

    A suite's own metrics have the condition `all`; accuracies per condition have the condition's name. Incomplete
    results are left out and listed in `frame.attrs["problems"]`. `cells` restricts the table to some cells.
    `reliability` is the verdict on attacked conditions, and on their suite's headline, `because` its reasons; empty
    elsewhere.
    """
    folder = ResultsFolder(str(directory))
    frame = tabulate(load_suites(folder, cells))
    frame.attrs["problems"] += [] if cells is not None else folder.problems
    return frame


@dataclass(frozen=True)
class LoadedSuite:
    """One model in one suite of a run, with the complete cells, and what is missing."""

    wanted: SuiteRun
    cells: Mapping[str, LoadedCell]
    lacking: tuple[str, ...]

    @functools.cached_property
    def frames(self) -> Frames:
        """Return the records by condition, for metrics."""
        tables = {name: cell.table for name, cell in self.cells.items()}
        return SuiteFrames(tables, lambda name: self.cells[name].records)

    @functools.cached_property
    def protocol(self) -> str:
        """Return the hash of a metric over all conditions."""
        return suite_protocol([cell.cell.protocol for cell in self.cells.values()])


def load_suites(folder: ResultsFolder, cells: Collection[str] | None = None) -> Iterator[LoadedSuite]:
    """Return every (suite, model) of the folder, one after the other, so that memory holds the records of one."""
    for wanted in folder.suite_runs():
        if cells is not None and not set(wanted.cells.values()) <= set(cells):
            continue
        loaded = {name: folder.load(cell_id) for name, cell_id in wanted.cells.items() if cell_id in folder.cells}
        lacking = [p for cell in loaded.values() for p in cell.problems]
        lacking += [f"{name}: never begun" for name in sorted(wanted.cells.keys() - loaded.keys())]
        lacking += _unlike_pictures(loaded)
        yield LoadedSuite(wanted, {name: cell for name, cell in loaded.items() if cell.complete}, tuple(lacking))


def _unlike_pictures(cells: Mapping[str, LoadedCell]) -> Iterator[str]:
    """Return conditions of one listing that were measured on different images, so that they give no number."""
    first: dict[str, tuple[str, LoadedCell]] = {}
    for name, cell in cells.items():
        other, known = first.setdefault(cell.cell.protocol.manifest, (name, cell))
        both = (known.cell, cell.cell)
        stopped = any(rule_of(each.subset) for each in both)
        contents = {each.protocol.content for each in both if each.protocol.content and not stopped}
        if unlike(known.sample, cell.sample) or len(contents) > 1:
            yield f"{name} was measured on other images than {other}, under the same names; measure one of them again"


def tabulate(suites: Iterable[LoadedSuite]) -> ResultsTable:
    """Return the table of `results` from suites as they are loaded."""
    rows: list[ResultRow] = []
    problems: list[str] = []
    unanswered: list[str] = []
    for suite in suites:
        problems += [f"{suite.wanted.model}, {suite.wanted.suite}: {problem}" for problem in suite.lacking]
        rows += _condition_rows(suite.wanted, suite.cells)
        if not suite.lacking:
            rows += (numbers := _suite_rows(suite))
            unanswered += _unanswered(suite.wanted, numbers)
    rows.sort(key=lambda row: row.model)
    frame = ResultsTable(rows, columns=list(RESULT_COLUMNS))
    frame.attrs["problems"], frame.attrs["unanswered"] = problems, unanswered
    return frame


def _unanswered(wanted: SuiteRun, numbers: list[ResultRow]) -> list[str]:
    """Return why a measured suite has no headline; empty if it has one."""
    if wanted.suite not in SUITES:
        return []
    headline = SUITES[wanted.suite].headline
    found = [row for row in numbers if row.metric == headline]
    if found and not math.isnan(found[0].value):
        return []
    why = (found[0].because if found else "") or "no image was scored"
    return [f"{wanted.model}, {wanted.suite}: no {headline}: {why}"]


def require_headlines(frame: pd.DataFrame) -> None:
    """Raise `IncompleteError` naming the measured suites without a headline."""
    if unanswered := frame.attrs["unanswered"]:
        raise IncompleteError("\n".join(first_of(unanswered)))


def require_complete(frame: pd.DataFrame, address: str) -> None:
    """Raises `IncompleteError` naming what is missing from `frame`."""
    if problems := frame.attrs["problems"]:
        shown = "\n  ".join(first_of(problems))
        raise IncompleteError(f"{address} is incomplete; repeat the command of the run to continue it:\n  {shown}")


def suite_protocol(protocols: Collection[Protocol]) -> str:
    """One hash for a metric over several conditions."""
    hashes = sorted(p.hash for p in protocols)
    return hashes[0] if len(hashes) == 1 else digest(hashes, 12)


def _condition_rows(wanted: SuiteRun, loaded: Mapping[str, LoadedCell]) -> list[ResultRow]:
    return [
        _row(
            wanted,
            name,
            "accuracy",
            _accuracy(cell),
            "share",
            cell.cell.protocol.hash,
            cell.cell.subset,
            cell.reliability,
        )
        for name, cell in loaded.items()
    ]


def _accuracy(cell: LoadedCell) -> Estimate:
    """The cell's accuracy, with the interval of the rule that stopped it if one did."""
    found, rule = accuracy(cell.table), rule_of(cell.cell.subset)
    return with_rule(found, rule, lambda: {0: outcomes(cell.table)}, cell.cell.protocol.images)


def _suite_rows(loaded: LoadedSuite) -> list[ResultRow]:
    wanted, cells = loaded.wanted, loaded.cells.values()
    if wanted.suite not in SUITES or not cells:
        return []
    protocol = loaded.protocol
    subset = joined(cell.cell.subset for cell in cells)
    verdict = Verdict.worst(cell.reliability for cell in cells)
    suite = SUITES[wanted.suite]
    measured = {name: cell.measurements for name, cell in loaded.cells.items() if cell.measurements}
    return [
        _row(
            wanted,
            "all",
            number.name,
            estimate if isinstance(estimate, Estimate) else Estimate(math.nan, math.nan, math.nan, 0),
            number.unit,
            protocol,
            subset,
            Verdict(because=(estimate,))
            if isinstance(estimate, str)
            else verdict
            if number.name == suite.headline
            else Verdict(),
        )
        for number, estimate in _numbers_of(suite, loaded, measured)
    ]


def _numbers_of(
    suite: Suite, loaded: LoadedSuite, measured: Measurements
) -> Iterator[tuple[Metric | Measure, Estimate | str]]:
    """Every number of the suite; of cells that a rule stopped those that are means over images, with its interval."""
    cells = list(loaded.cells.values())
    rules = [rule for cell in cells if (rule := rule_of(cell.cell.subset))]
    if not rules:
        yield from _numbers(suite, loaded.frames, measured)
        return
    order = max((cell.records for cell in cells), key=len)["image_id"]
    for metric in suite.metrics:
        if metric.per_image is None or metric.unit != "share":
            yield metric, "no mean over images, which is all that --until can tell"
            continue
        try:
            share = metric.per_image(loaded.frames).astype(float)
            values = np.asarray(share.reindex(order[order.isin(share.index)]), dtype=np.float64)
            yield metric, rules[0].estimate(values, max(cell.cell.protocol.images for cell in cells))
        except MissingConditionError as error:
            yield metric, str(error)


def _numbers(suite: Suite, frames: Frames, measured: Measurements) -> Iterator[tuple[Metric | Measure, Estimate | str]]:
    """Every number of the suite, or why it cannot be told; measurements that a model does not have are left out."""
    for metric in suite.metrics:
        try:
            yield metric, metric.compute(frames)
        except MissingConditionError as error:
            yield metric, str(error)
    for measure in suite.measures:
        try:
            yield measure, measure.compute(measured)
        except MissingConditionError as error:
            if measure.name == suite.headline:
                yield measure, str(error)


def _row(
    wanted: SuiteRun,
    condition: str,
    metric: str,
    estimate: Estimate,
    unit: str,
    protocol: str,
    subset: str,
    verdict: Verdict,
) -> ResultRow:
    return ResultRow(
        wanted.model,
        wanted.suite,
        condition,
        metric,
        estimate.value,
        estimate.low,
        estimate.high,
        estimate.n,
        estimate.unscored,
        unit,
        protocol,
        subset,
        verdict.level,
        verdict.reasons,
        wanted.version,
    )
