"""Contents of the pages, ready to be written: texts, bar positions, addresses. Templates compute nothing."""

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.board.columns import column_name, metric_of, setting_of, subset_of
from bench.board.leaderboard import Board
from bench.condition import Condition
from bench.datasets.known import SETS
from bench.folder.survey import BoardColumn
from bench.metrics.base import Metric
from bench.rounding import decimal
from bench.suites.registry import SUITES
from model_zoo.filenames import no_device

SHORT = {
    **{name: info.heading for name, info in SETS.items() if info.heading},
    "clean": "Clean",
    "pgd": "PGD",
    "tiny-pgd": "PGD",
    "autoattack": "AutoAttack",
    "aa-fast": "AA-fast",
    "imagenet-c-live": "mCE",
    "tiny-c": "Corruptions",
    "imagenet-real": "ReaL",
    "calibration": "ECE",
}
"""Column heads of suites, with the suite's own name below; other suites use their name as head."""


@dataclass(frozen=True)
class ShownNumber:
    """One measured number. `value` sorts; `left` and `width` place its interval on a bar, in percent of it."""

    value: float
    text: str
    low: str
    high: str
    n: int
    rank: int
    shared: int
    left: float
    width: float
    reliability: str
    claimed: str
    outside: str
    claimed_source: str
    outside_source: str


@dataclass(frozen=True)
class Head:
    """One column: its metric, protocol and direction."""

    column: BoardColumn
    title: str
    about: str
    unit: str
    lower_is_better: bool
    source: str
    most: int
    dataset: str
    setting: str

    @property
    def id(self) -> str:
        """Id of the element in the page."""
        return column_name(self.column)


@dataclass(frozen=True)
class Row:
    """One model of the leaderboard; `numbers` by column, None where not measured."""

    model: str
    page: str
    method: str
    architecture: str
    size: str
    resolution: str
    extra_data: str
    numbers: list[ShownNumber | None] = field(default_factory=list)


def heads(board: Board) -> list[Head]:
    """The columns of a leaderboard, those of one data set together, and first the sets that most models saw."""
    found = [_head(column, board) for column in board.columns]
    models: dict[str, int] = {}
    for head in found:
        models[head.dataset] = max(models.get(head.dataset, 0), int(board.frame[head.id].notna().sum()))
    places = list(models)
    return sorted(found, key=lambda head: (-models[head.dataset], places.index(head.dataset)))


@dataclass(frozen=True)
class HeadGroup:
    """Adjacent columns of one data set: `count` of them from number `start`."""

    title: str
    start: int
    count: int


def groups(columns: Sequence[Head]) -> list[HeadGroup]:
    """Return the data sets above the columns, from left to right."""
    found: list[HeadGroup] = []
    for start, head in enumerate(columns):
        if found and found[-1].title == head.dataset:
            found[-1] = HeadGroup(head.dataset, found[-1].start, found[-1].count + 1)
        else:
            found.append(HeadGroup(head.dataset, start, 1))
    return found


def _head(column: BoardColumn, board: Board) -> Head:
    frame = board.frame
    conditions = [Condition.parse(cell.protocol.condition) for cell in board.survey.cells_of(column.protocol)]
    sets = list(dict.fromkeys(SETS[c.dataset].title if c.dataset in SETS else c.dataset for c in conditions))
    number, suite, name = metric_of(column), SUITES[column.suite], column_name(column)
    title = "Clean" if column.metric == "clean_accuracy" else SHORT.get(column.suite, column.suite)
    most = frame[f"{name}_n"].max() if f"{name}_n" in frame else 0
    unit = "%" if number.unit in ("share", "%") else number.unit
    return Head(
        column,
        title,
        "; ".join(filter(None, (suite.title, subset_of(board.survey, column)))),
        unit,
        not number.higher_is_better,
        number.source,
        int(most),
        sets[0] if len(sets) == 1 else " and ".join(sets),
        "" if column.metric == "clean_accuracy" else setting_of(conditions),
    )


def rows(board: Board, columns: list[Head]) -> list[Row]:
    """The models of a leaderboard, in its order."""
    names = page_names(board.frame["model"])
    scales = [_scale(board.frame, head.id) for head in columns]
    return [
        Row(
            str(row["model"]),
            names[row["model"]],
            _text(row["method"]),
            _text(row["architecture"]),
            parameters(row["parameters"]),
            _whole(row["resolution"]),
            _text(row["extra_data"]),
            [_number(row, head, scale, board.frame) for head, scale in zip(columns, scales, strict=True)],
        )
        for row in board.frame.to_dict("records")
    ]


def _scale(frame: pd.DataFrame, name: str) -> float:
    """Return the end of a column's bars: 100, or the largest upper end beyond it."""
    top = frame[f"{name}_high"].max() if f"{name}_high" in frame else math.nan
    return 100.0 if math.isnan(top) else max(100.0, float(top))


def _number(row: dict[Any, Any], head: Head, scale: float, frame: pd.DataFrame) -> ShownNumber | None:
    name = head.id
    count = row.get(f"{name}_n")
    if count is None or pd.isna(count):
        return None
    value, low, high = (float(row[f"{name}{part}"]) for part in ("", "_low", "_high"))
    rank = row.get(f"{name}_rank")
    place = 0 if rank is None or pd.isna(rank) else int(rank)
    left, right = (min(max(100 * end / scale, 0.0), 100.0) if math.isfinite(end) else 0.0 for end in (low, high))
    return ShownNumber(
        value,
        figure(value, head.unit),
        figure(low, head.unit),
        figure(high, head.unit),
        int(count),
        place,
        int((frame[f"{name}_rank"] == place).sum()) if place else 0,
        round(left, 1),
        max(round(right - left, 1), 0.6),
        "" if head.column.metric == "clean_accuracy" else _text(row.get(f"{head.column.suite}_reliability")),
        figure(row.get(f"{name}_claimed"), head.unit, ""),
        figure(row.get(f"{name}_outside"), head.unit, ""),
        _text(row.get(f"{name}_claimed_source")),
        _text(row.get(f"{name}_outside_source")),
    )


def figure(value: float | None, unit: str = "%", nothing: str = "n/a") -> str:
    """Return a number for display: one decimal for percent, three digits otherwise."""
    if value is None or not math.isfinite(value):
        return nothing
    return decimal(value) if unit == "%" else decimal(value, ".3g")


def parameters(count: Any) -> str:
    """Return `25.6 M`, `78 k`, or an empty text if unknown."""
    if count is None or pd.isna(count) or not count:
        return ""
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k" if count >= 1e3 else f"{count:.0f}"


def _whole(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.0f}"


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def page_names(models: Iterable[str]) -> dict[str, str]:
    """Return a file name for each model's page: valid on every file system, and unique."""
    taken: set[str] = {"index", "compare", "published", "figures", "live"}
    names = {}
    for model in sorted(models):
        name = re.sub(r"[^a-z0-9_.-]+", "-", model.lower())[:60].strip("-.") or "model"
        name = no_device(name)
        if name in taken:
            name += "-" + hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        taken.add(name)
        names[model] = name
    return names


def is_mean(head: Head) -> bool:
    """Return whether the column's metric is a mean over images, as a paired test needs."""
    number = metric_of(head.column)
    return isinstance(number, Metric) and number.per_image is not None
