"""`bench.results`: the numbers of a results folder as a tidy pandas frame."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.condition import Condition
from bench.errors import IncompleteError
from bench.folder.reader import LoadedCell, ResultsFolder, SuiteRun, unverified_line
from bench.folder.rows import ResultRow, ResultRows
from bench.folder.suites import LoadedSuite, SuiteCells, load_suites
from bench.metrics.accuracy import accuracy, outcomes
from bench.metrics.base import Frames, Measure, Measurements, Metric, MissingConditionError
from bench.metrics.estimate import Estimate
from bench.metrics.order import other_order
from bench.metrics.repeated import repeated
from bench.metrics.selection import joined, rule_of
from bench.metrics.told import with_rule
from bench.suites.base import Suite
from bench.suites.registry import SUITES
from bench.text import first_of
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.folder.results_table import ResultsTable


def results(directory: str | Path, *, asked: Collection[SuiteCells] | None = None) -> "ResultsTable":
    """Return one row per model, suite, condition and metric, with its 95 % interval, n and protocol hash, by model.

    A suite's own metrics have the condition `all`; accuracies per condition have the condition's name. Incomplete
    results are left out and listed in `frame.attrs["problems"]`. `asked` restricts the table to some suites, each with
    its cells of one model; `frame.attrs["remarks"]` says which models have other weights than the cards of their names.
    `reliability` is the verdict on attacked conditions, and on their suite's headline, `because` its reasons; empty
    elsewhere.
    """
    from bench.folder.results_table import as_frame

    return as_frame(numbers_of(directory, asked=asked))


def read_whole(directory: str | Path) -> "tuple[ResultsFolder, ResultsTable]":
    """Return a folder whose cells have all been read, so that it knows their protocols in full, and its table."""
    from bench.folder.results_table import as_frame

    folder = ResultsFolder(str(directory))
    found = collect(load_suites(folder))
    found.problems += folder.problems
    return folder, as_frame(found)


def numbers_of(directory: str | Path, *, asked: Collection[SuiteCells] | None = None) -> ResultRows:
    """Return the same as rows, without pandas."""
    folder = ResultsFolder(str(directory))
    found = collect(load_suites(folder, asked))
    found.problems += [] if asked is not None else folder.problems
    return found


def collect(suites: Iterable[LoadedSuite]) -> ResultRows:
    """Return the rows of `results` from suites as they are loaded."""
    found, unverified = ResultRows(), set[str]()
    for suite in suites:
        found.problems += [f"{suite.wanted.model}, {suite.wanted.suite}: {problem}" for problem in suite.lacking]
        found.rows += _condition_rows(suite.wanted, suite.cells)
        unknown = suite.wanted.about.unverified
        unverified |= {suite.wanted.model} if unknown else set()
        lines = [*([] if unknown else suite.wanted.remarks()), *_orders(suite), *_short_batches(suite)]
        found.remarks += [line for line in lines if line not in found.remarks]
        if not suite.lacking:
            found.rows += (rows := _suite_rows(suite))
            why, headline = _headline(suite)
            found.unanswered += _unanswered(suite.wanted, headline, rows)
            found.remarks += [line for line in (why, *_remarks(suite)) if line and line not in found.remarks]
    found.remarks += [unverified_line(unverified)] if unverified else []
    found.rows.sort(key=lambda row: row.model)
    return found


def _orders(loaded: LoadedSuite) -> Iterator[str]:
    """Yield which clean conditions a model answers in another order of classes, and which hold images twice."""
    for name, cell in loaded.cells.items():
        if not Condition.parse(name).clean:
            continue
        if why := other_order(cell.table):
            yield f"{loaded.wanted.model}, {name}: {why}"
        if extra := repeated(cell.table):
            yield f"{name}: {extra} images have the content of another and its label: n and intervals count them again"


def _remarks(loaded: LoadedSuite) -> Iterator[str]:
    """Yield what the suite's metrics say of these records besides their values."""
    suite = SUITES.get(loaded.wanted.suite)
    for metric in suite.metrics if suite else ():
        try:
            if said := metric.remark(loaded.frames) if metric.remark else "":
                yield f"{loaded.wanted.model}, {metric.name}: {said}"
        except MissingConditionError:
            continue  # the number's own row says so


_BATCH = re.compile(r"prediction_(?:batch|n)(\d+)(?:_prior\d+)?")


def _short_batches(loaded: LoadedSuite) -> Iterator[str]:
    """Yield which batches of a diagnostic had fewer images than their names say, as there are no more."""
    for name, cell in loaded.cells.items():
        sizes = {int(found[1]) for column in cell.table.column_names if (found := _BATCH.fullmatch(column))}
        if short := sorted(size for size in sizes if size > len(cell.table)):
            shown = " and ".join(map(str, short))
            yield (
                f"{loaded.wanted.model}, {name}: numbers with the statistics of {shown} images have those of all "
                f"{len(cell.table)}: there are no more"
            )
            return


def _headline(loaded: LoadedSuite) -> tuple[str, str]:
    """Return why a suite's headline is no number of these images, empty if it is, and the metric that must be there:
    the headline, or else the first that is defined for them."""
    suite, spaces = SUITES.get(loaded.wanted.suite), _spaces(loaded)
    if suite is None:
        return "", ""
    why = next((metric.undefined(spaces) for metric in suite.metrics if metric.name == suite.headline), "")
    if not why:
        return "", suite.headline
    defined = next((metric.name for metric in suite.metrics if not metric.undefined(spaces)), suite.headline)
    return f"{suite.name}: no {suite.headline}: {why}", defined


def _spaces(loaded: LoadedSuite) -> set[str]:
    """Return the label spaces of a suite's images."""
    return {cell.cell.protocol.labels for cell in loaded.cells.values()}


def _unanswered(wanted: SuiteRun, headline: str, numbers: list[ResultRow]) -> list[str]:
    """Return why a measured suite has no `headline`; empty if it has one, or is not known here."""
    found = [row for row in numbers if row.metric == headline]
    if not headline or (found and not math.isnan(found[0].value)):
        return []
    why = (found[0].because if found else "") or "no image was scored"
    return [f"{wanted.model}, {wanted.suite}: no {headline}: {why}"]


def require_headlines(unanswered: Sequence[str]) -> None:
    """Raise `IncompleteError` naming the measured suites without a headline, if there are any."""
    if unanswered:
        raise IncompleteError("\n".join(first_of(unanswered)))


def require_complete(problems: Sequence[str], address: str) -> None:
    """Raise `IncompleteError` naming what is missing from the results under `address`, if there is anything."""
    if problems:
        shown = "\n  ".join(first_of(problems))
        raise IncompleteError(f"{address} is incomplete; repeat the command of the run to continue it:\n  {shown}")


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
        yield from _numbers(suite, loaded.frames, measured, _spaces(loaded))
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


def _numbers(
    suite: Suite, frames: Frames, measured: Measurements, spaces: Collection[str]
) -> Iterator[tuple[Metric | Measure, Estimate | str]]:
    """Every number of the suite, or why it cannot be told; measurements that a model does not have are left out."""
    for metric in suite.metrics:
        try:
            yield metric, metric.undefined(spaces) or metric.compute(frames)
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
