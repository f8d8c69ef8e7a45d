"""`bench leaderboard`: one row per model, one group of columns per suite's headline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.board.columns import choose_columns, column_name, deciding, described, metric_of, places_of, rows_of
from bench.board.table import BoardTable
from bench.board.text import readable, to_latex, to_markdown
from bench.folder.survey import BoardColumn, Survey, survey
from bench.known_models import name_of
from bench.manifest import RunModel
from bench.metrics.selection import part_of
from bench.published.comparability import beside
from bench.published.outside import of_model
from bench.published.table import Published, published_table
from bench.text import counted

__all__ = ["Board", "leaderboard", "make_board", "readable", "to_latex", "to_markdown"]

PARTS = ("", "_low", "_high", "_n", "_protocol")
"""Fields of each number: the value, its 95 % interval, n, and the protocol's hash."""


ABOUT = ["model", "method", "architecture", "parameters", "resolution", "extra_data"]
"""Fields of a model before its numbers."""


@dataclass(frozen=True)
class Board:
    """The table, the columns that it shows, `notes` for readers, and published numbers by model."""

    frame: BoardTable
    columns: list[BoardColumn]
    notes: list[str]
    survey: Survey
    known: dict[str, list[Published]]


def leaderboard(directory: str | Path, *, outside: Sequence[Published] = ()) -> BoardTable:
    """Return one row per model: its description, then each suite's headline with interval, n, protocol and rank, the
    claimed and outside numbers with sources, and `SUITE_reliability` for suites with attack.

    A column never mixes protocols or versions of a suite: of several, the one with the most models, then the most
    images, is shown, and `frame.attrs["notes"]` names what is left out. Shares are in percent. Models share a rank if
    no paired test over all pairs (Holm) tells them apart from the group's best; a column with a metric that is not a
    mean over images has no ranks. `outside` adds numbers from `bench.published.outside.read_outside`.
    `frame.attrs["about"]` gives each column's attack, `frame.attrs["order"]` the column that orders the models.
    """
    board = make_board(survey(directory), outside)
    first = deciding(board.columns, board.frame)
    board.frame.attrs |= {
        "notes": board.notes,
        "about": {column_name(column): described(column, board.survey) for column in board.columns},
        "order": column_name(first) if first else "",
    }
    return board.frame


def make_board(found: Survey, outside: Sequence[Published] = ()) -> Board:
    """Return the leaderboard of a folder that was read already."""
    abouts = dict(sorted({run.model: run.about for run in found.runs}.items()))
    rows = {name: _about(name, about) for name, about in abouts.items()}
    others = [*outside, *published_table(of_zoos=True)]  # papers call any net ResNet-50
    known = {
        name: of_model(name_of(name), others, unlike_card=about.is_unlike_card(name))
        for name, about in abouts.items()
        if not about.other_weights
    }
    columns, notes = choose_columns(found)
    notes += found.numbers.remarks
    for column in columns:
        _measured(rows, column, found)
        _published(rows, column, found, known)
        notes += _doubts(found, column)
    shown = [str(value) for row in rows.values() for name, value in row.items() if name.endswith("_source")]
    if outside and not any(text.startswith(f"{number.number.source};") for text in shown for number in outside):
        read = counted(len(outside), "outside number")
        notes.append(f"{read} read, none of a model, a set and an attack that are shown here")
    frame = BoardTable(list(rows.values()), columns=None if rows else ABOUT)
    return Board(_in_order(frame, columns), columns, found.problems + notes, found, known)


def _about(name: str, about: RunModel) -> dict[str, Any]:
    card = about.card(name)
    row: dict[str, Any] = {"model": name, **{k: getattr(about, k) for k in ("method", "architecture", "parameters")}}
    row["resolution"] = about.input.get("size")
    return row | {"extra_data": card.extra_data if card else about.extra_data}


def _measured(rows: dict[str, dict[str, Any]], column: BoardColumn, found: Survey) -> None:
    name, places = column_name(column), places_of(found, column)
    for row in rows_of(found, column):
        scale = 100.0 if row.unit == "share" else 1.0
        values = (row.value * scale, row.low * scale, row.high * scale, row.n, row.protocol)
        mine = rows[row.model]
        mine |= {f"{name}{part}": value for part, value in zip(PARTS, values, strict=True)}
        mine |= {f"{name}_rank": places[row.model]} if row.model in places else {}
        mine |= {f"{name}_subset": row.subset} if row.subset else {}
        mine |= {f"{column.suite}_reliability": row.reliability} if row.reliability else {}


def _published(
    rows: dict[str, dict[str, Any]], column: BoardColumn, found: Survey, known: dict[str, list[Published]]
) -> None:
    """Return the first claimed number and the first outside number comparable with the column; the source also says
    which part of its images was measured here."""
    name = column_name(column)
    conditions = [cell.protocol.condition for cell in found.cells_of(column.protocol)]
    here = {row.model: part for row in rows_of(found, column) if (part := part_of(row.subset))}
    for model, numbers in known.items():
        size = rows[model]["resolution"] or 0
        for published in numbers:
            value = beside(published, column.suite, column.metric, column.protocol, conditions, size)
            number = published.number
            kind = f"{name}_{'claimed' if number.by == 'authors' else 'outside'}"
            if value is not None and kind not in rows[model]:
                said = [number.source, number.under(), f"measured here: {here[model]}" if model in here else ""]
                rows[model] |= {kind: value, f"{kind}_source": "; ".join(filter(None, said))}


def _doubts(found: Survey, column: BoardColumn) -> list[str]:
    """Return the reasons of numbers that are not reliable."""
    rows = [row for row in rows_of(found, column) if row.reliability not in ("", "reliable")]
    return [f"{row.model}, {row.suite}: {row.reliability}, because {row.because}" for row in rows]


def _in_order(frame: BoardTable, columns: list[BoardColumn]) -> BoardTable:
    """Sort best first by the deciding column; models without it come last."""
    column = deciding(columns, frame)
    if column is None:
        return frame
    order = [not metric_of(column).higher_is_better, True]
    return frame.sort_values([column_name(column), "model"], ascending=order, ignore_index=True)
