"""What the pages show, ready to be written: texts, places of bars, addresses. Templates compute nothing."""

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.board.columns import column_name, metric_of
from bench.board.leaderboard import Board
from bench.datasets.known import SETS
from bench.folder.survey import BoardColumn
from bench.metrics.base import Metric
from bench.suites.registry import SUITES

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
"""A suite's column head; the suite's own name stands below it, and is the head of suites that are not here."""

METHODS = ("intriguing", "sat", "advprop", "nofrost", "standard")
"""Methods in the order of their colours and marks in charts."""


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
    """One column: what it is, under which protocol, and in which direction better lies."""

    column: BoardColumn
    title: str
    about: str
    unit: str
    lower_is_better: bool
    source: str
    most: int

    @property
    def id(self) -> str:
        """Name of the element in the page."""
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
    """The columns of a leaderboard."""
    return [_head(column, board.frame) for column in board.columns]


def _head(column: BoardColumn, frame: pd.DataFrame) -> Head:
    number, suite, name = metric_of(column), SUITES[column.suite], column_name(column)
    title = "Clean" if column.metric == "clean_accuracy" else SHORT.get(column.suite, column.suite)
    most = frame[f"{name}_n"].max() if f"{name}_n" in frame else 0
    unit = "%" if number.unit in ("share", "%") else number.unit
    return Head(column, title, suite.title, unit, not number.higher_is_better, number.source, int(most))


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
    """Where a column's bars end: at 100, or at the largest upper end beyond it."""
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
        _text(row.get(f"{head.column.suite}_reliability")),
        figure(row.get(f"{name}_claimed"), head.unit, ""),
        figure(row.get(f"{name}_outside"), head.unit, ""),
        _text(row.get(f"{name}_claimed_source")),
        _text(row.get(f"{name}_outside_source")),
    )


def figure(value: float | None, unit: str = "%", nothing: str = "n/a") -> str:
    """A number as it is read: one decimal for percent, three digits for anything else."""
    if value is None or not math.isfinite(value):
        return nothing
    return f"{value:.1f}" if unit == "%" else f"{value:.3g}"


def parameters(count: Any) -> str:
    """`25.6 M`, `78 k`; nothing where it is unknown."""
    if count is None or pd.isna(count) or not count:
        return ""
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k" if count >= 1e3 else f"{count:.0f}"


def _whole(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.0f}"


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def page_names(models: Iterable[str]) -> dict[str, str]:
    """A file name for each model's page: harmless on any file system, and unlike every other's."""
    taken: set[str] = {"index", "compare", "published"}
    names = {}
    for model in sorted(models):
        name = re.sub(r"[^a-z0-9_.-]+", "-", model.lower())[:60].strip("-.") or "model"
        if name in taken:
            name += "-" + hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        taken.add(name)
        names[model] = name
    return names


def is_mean(head: Head) -> bool:
    """Whether the column's metric is a mean over images, which a paired test needs."""
    number = metric_of(head.column)
    return isinstance(number, Metric) and number.per_image is not None
