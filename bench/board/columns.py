"""The columns of a leaderboard and their ranks."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.condition import Condition
from bench.datasets.known import SETS
from bench.folder.rows import ResultRow
from bench.folder.survey import BoardColumn, Survey, headlines
from bench.metrics.base import Measure, Metric
from bench.metrics.ranks import ranks
from bench.metrics.selection import joined
from bench.suites.registry import SUITES
from bench.text import counted

if TYPE_CHECKING:
    import pandas as pd

ORDER = (
    "imagenet",
    "clean",
    "tiny",
    "pgd",
    "tiny-pgd",
    "autoattack",
    "robustbench-5k",
    "aa-fast",
    "imagenet-c",
    "imagenet-c-live",
    "tiny-c",
    *(name for name in SETS if name not in ("imagenet", "imagenet-c", "robustbench-5k", "tiny")),
)
"""Order of suites from left to right, those named like a data set in the sets' order; others follow in registration
order."""

CLEAN = ("imagenet", "clean", "tiny")
"""Suites of plain clean accuracy."""

DECIDING = ("autoattack", "robustbench-5k", "aa-fast", "pgd", "tiny-pgd", *CLEAN)
"""The leaderboard is sorted by the first of these that is measured for half of the models."""


def column_name(column: BoardColumn) -> str:
    """`SUITE_METRIC`, the prefix of the column's names in the table."""
    return f"{column.suite}_{column.metric}"


def metric_of(column: BoardColumn) -> Metric | Measure:
    """Source of the column's formula."""
    return next(number for number in SUITES[column.suite].numbers if number.name == column.metric)


def described(column: BoardColumn, found: Survey) -> str:
    """What is said of a column besides its name: `20 steps, eps 8/255`, which images, and whether less is better."""
    conditions = [Condition.parse(cell.protocol.condition) for cell in found.cells_of(column.protocol)]
    setting = "" if column.metric == "clean_accuracy" else setting_of(conditions)
    lower = "" if metric_of(column).higher_is_better else "lower is better"
    return ", ".join(filter(None, (setting, subset_of(found, column), lower)))


def subset_of(found: Survey, column: BoardColumn) -> str:
    """Return which part of its sets a column is of, and what may have stopped it; empty for whole sets."""
    return joined(row.subset for row in rows_of(found, column))


def deciding(columns: list[BoardColumn], frame: "pd.DataFrame") -> BoardColumn | None:
    """Return the column that sorts the leaderboard: the first of `DECIDING` that half of the models have, else the
    one that most have; None if nothing is measured."""
    counts = {column: int(frame[column_name(column)].notna().sum()) for column in columns}
    by_suite = {column.suite: column for column in reversed(columns)}
    ordered = [by_suite[suite] for suite in dict.fromkeys((*DECIDING, *by_suite)) if suite in by_suite]
    enough = [column for column in ordered if 2 * counts[column] >= len(frame)]
    return next(iter(enough), None) or max(ordered, key=lambda column: counts[column], default=None)


def setting_of(conditions: Iterable[Condition]) -> str:
    """What is said of attacks in a column's head: `10 steps, eps 2, 4, 8/255`; nothing where there is none."""
    attacks = [condition.attack for condition in conditions if condition.attack]
    if not attacks:
        return ""
    steps = sorted({attack.steps for attack in attacks if attack.steps})
    pieces = [f"{', '.join(map(str, steps))} steps"] if steps and attacks[0].family.startswith("pgd") else []
    for norm in sorted({attack.norm for attack in attacks}, reverse=True):
        budgets = sorted({attack.eps for attack in attacks if attack.norm == norm})
        name = "" if norm == "linf" else f"{norm.upper()} "
        pieces.append(f"{name}eps {_budgets(budgets, norm)}")
    return ", ".join(pieces)


def _budgets(budgets: Sequence[Fraction], norm: str) -> str:
    if norm == "linf":
        return ", ".join(f"{float(255 * eps):g}" for eps in budgets) + "/255"
    return ", ".join(f"{float(eps):g}" for eps in budgets)


def choose_columns(found: Survey) -> tuple[list[BoardColumn], list[str]]:
    """Return the columns to show, and what is left out of them: a column never mixes protocols or versions of a
    suite."""
    table = [row for row in found.numbers.rows if row.condition == "all"]
    columns, notes = [], []
    for suite, metric in _headlines({row.suite for row in table}):
        if rows := [row for row in table if (row.suite, row.metric) == (suite, metric)]:
            columns.append(BoardColumn(suite, metric, *_widest(rows)))
            notes += _left_out(rows, columns[-1])
    return columns, notes


def _widest(rows: Sequence[ResultRow]) -> tuple[str, int]:
    """Return the protocol and version with the most models, then the most images, then the latest."""
    groups: dict[tuple[str, int], list[ResultRow]] = {}
    for row in rows:
        groups.setdefault((row.protocol, row.version), []).append(row)

    def order(key: tuple[str, int]) -> tuple[int, int, int, str]:
        group = groups[key]
        return -len({row.model for row in group}), -max(row.n for row in group), -key[1], key[0]

    return min(groups, key=order)


def _headlines(present: set[str]) -> list[tuple[str, str]]:
    """Return suites from left to right with the metrics to show; clean accuracy of a suite with attack only if no
    suite of clean accuracy is present."""
    ordered = [*(name for name in ORDER if name in present), *(n for n in SUITES if n in present and n not in ORDER)]
    found = [(name, metric) for name in ordered for metric in headlines(name)]
    return [pair for pair in found if pair[1] != "clean_accuracy" or not present & set(CLEAN)]


def _left_out(rows: Sequence[ResultRow], column: BoardColumn) -> list[str]:
    """Return which models, and which other numbers of the models that are shown, a column leaves out."""
    kept = {row.model for row in rows if (row.protocol, row.version) == (column.protocol, column.version)}
    others = [row for row in rows if row.model not in kept]
    older = {row.model for row in others if row.version != column.version}
    subsets = {row.model: row.subset for row in others if row.subset}
    again = [row for row in rows if row.model in kept and row.protocol != column.protocol]
    return [
        f"{column.suite} {column.metric}: {name} was measured "
        f"{'by another version of the suite' if name in older else 'under another protocol'}"
        f"{f' ({subsets[name]})' if name in subsets else ''} and is not shown"
        for name in sorted({row.model for row in others})
    ] + [
        f"{column.suite} {column.metric}: {name} was also measured under {counted(len(of), 'other protocol')}, "
        "which `bench results` shows: the most images of the most models are shown here"
        for name in sorted({row.model for row in again})
        if (of := {row.protocol for row in again if row.model == name})
    ]


def rows_of(found: Survey, column: BoardColumn) -> list[ResultRow]:
    """Return the rows of a survey for a column, one per model."""
    first: dict[str, ResultRow] = {}
    for row in found.numbers.rows:
        if row.condition == "all" and BoardColumn(row.suite, row.metric, row.protocol, row.version) == column:
            first.setdefault(row.model, row)
    return list(first.values())


def shares_of(found: Survey, column: BoardColumn) -> "pd.DataFrame":
    """Return each image's share of the column's metric, images x models, NaN where a model did not score an image;
    without models that scored none; empty if the metric is not a mean over images."""
    import pandas as pd

    shares = pd.DataFrame(found.shares.get(column, {})).astype(float)
    return shares.dropna(axis="columns", how="all").dropna(how="all")


def places_of(found: Survey, column: BoardColumn) -> dict[str, int]:
    """Return the ranks of a column's models; empty for fewer than two, and if no two of them are told apart."""
    shares = shares_of(found, column)
    places = ranks(shares, higher_is_better=metric_of(column).higher_is_better) if min(shares.shape) > 1 else {}
    return places if len(set(places.values())) > 1 else {}
