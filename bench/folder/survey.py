"""One pass over a results folder that collects the data for leaderboards and reports."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.folder.reader import ResultsFolder, SuiteRun
from bench.folder.rows import ResultRows
from bench.folder.suites import LoadedSuite, load_suites
from bench.folder.tables import collect
from bench.metrics.base import MissingConditionError
from bench.metrics.selection import rule_of
from bench.record import Cell
from bench.suites.registry import SUITES
from model_zoo.registry import is_random

if TYPE_CHECKING:
    import pandas as pd

    from bench.folder.results_table import ResultsTable


class BoardColumn(NamedTuple):
    """Contents of one leaderboard column: one metric of one version of a suite under one protocol."""

    suite: str
    metric: str
    protocol: str
    version: int


@dataclass
class Survey:
    """`numbers` are those of `bench.results`. `shares` has, by column and model, each image's share of a metric that
    is a mean over images."""

    folder: ResultsFolder
    numbers: ResultRows = field(default_factory=ResultRows)
    shares: "dict[BoardColumn, dict[str, pd.Series]]" = field(default_factory=dict)
    runs: list[SuiteRun] = field(default_factory=list)
    cells: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @functools.cached_property
    def table(self) -> "ResultsTable":
        """Return the numbers as the table of `bench.results`."""
        from bench.folder.results_table import as_frame

        return as_frame(self.numbers)

    @property
    def problems(self) -> list[str]:
        """What is missing or damaged, and which measured suites have no headline."""
        return [*self.numbers.problems, *self.numbers.unanswered]

    def cell(self, cell_id: str) -> Cell:
        """Return the description of a cell."""
        return self.folder.cells[cell_id]

    def cells_of(self, protocol: str) -> list[Cell]:
        """Return the cells, of one model, behind a protocol's hash."""
        return [self.folder.cells[cell_id] for cell_id in self.cells.get(protocol, [])]


def survey(directory: str | Path) -> Survey:
    """Read the whole folder once. Raises `StoreError` if it is empty or a description is damaged."""
    found = Survey(ResultsFolder(str(directory)))
    found.numbers = collect(_kept(load_suites(found.folder), found))
    found.numbers.problems += [*found.folder.problems, *dict.fromkeys(found.left_out)]
    return found


def _kept(suites: Iterator[LoadedSuite], found: Survey) -> Iterator[LoadedSuite]:
    for suite in suites:
        if is_random(suite.wanted.model):
            found.left_out.append(f"{suite.wanted.model}: random weights, on no leaderboard")
            continue
        found.runs.append(suite.wanted)
        for cell_id in (suite.wanted.cells[name] for name in suite.cells):
            found.cells.setdefault(found.cell(cell_id).protocol.hash, [cell_id])
        if suite.cells and not suite.lacking:
            found.cells.setdefault(suite.protocol, list(suite.wanted.cells.values()))
            _keep_shares(suite, found)
        yield suite


def _keep_shares(suite: LoadedSuite, found: Survey) -> None:
    wanted = suite.wanted
    if any(rule_of(cell.cell.subset) for cell in suite.cells.values()):
        return  # ranks and pairs are tested as samples of a fixed size
    for metric in SUITES[wanted.suite].metrics if wanted.suite in SUITES else ():
        if metric.per_image and metric.name in headlines(wanted.suite):
            try:
                share = metric.per_image(suite.frames)
            except MissingConditionError:
                continue
            column = BoardColumn(wanted.suite, metric.name, suite.protocol, wanted.version)
            shares = found.shares.setdefault(column, {})
            first = next(iter(shares.values()), share)
            if share.index.equals(first.index):
                share = share.set_axis(first.index)  # one index of 50,000 names, not one a model
            shares[wanted.model] = share


def headlines(suite: str) -> tuple[str, ...]:
    """Return the metrics of a suite on a leaderboard: its headline, and clean accuracy beside a robust one."""
    names = {number.name for number in SUITES[suite].numbers}
    return tuple(name for name in (SUITES[suite].headline, "clean_accuracy") if name in names)
