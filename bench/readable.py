"""DataFrames that show the columns that people look for first, with whole names, at the width of the terminal."""

import html
import numbers
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import pandas as pd

from bench.layout import TextColumn, lay_out, paragraph, terminal_width
from bench.rounding import decimal
from bench.text import escape_unprintable

GAP_ROW = "..."
"""In place of the rows of a long table that are not shown."""


EXACT = 1e15
"""Whole numbers below it are written whole."""


class ReadableFrame(pd.DataFrame):
    """A DataFrame that is shown as a table for people: `SHOWN` columns first, then those that were added to it.

    Everything else is pandas', and every operation returns the same kind of frame. Rows are left out as pandas leaves
    them out (`display.max_rows`, `display.min_rows`); a frame that lacks one of the `SHOWN` columns is shown by pandas.
    """

    SHOWN: ClassVar[tuple[TextColumn, ...]] = ()
    HIDDEN: ClassVar[tuple[str, ...]] = ()
    """Columns that are only named below the table."""

    @property
    def _constructor(self) -> type["ReadableFrame"]:
        return type(self)

    def __repr__(self) -> str:
        if not self.is_readable():
            return super().__repr__()
        columns, rows = self._with_index()
        table = lay_out(columns, rows, terminal_width())
        hidden = [*table.left_out, *self.hidden()]
        lines = [self._size(hidden), *self.remarks()]
        return "\n".join([*table.lines, *(paragraph(line, 2) for line in lines)])

    def _repr_html_(self) -> str | None:
        if not self.is_readable():
            return cast(str | None, pd.DataFrame(self)._repr_html_())  # type: ignore[operator]
        columns, rows = self._with_index()
        filled = [place for place in range(1, len(columns)) if not rows or any(row[place] for row in rows)]
        body = pd.DataFrame(
            [[row[place] for place in filled] for row in rows],
            [row[0] for row in rows],
            [columns[place].name for place in filled],
            dtype=object,
        )
        with pd.option_context("display.max_colwidth", None):
            table = body.to_html(border=1, notebook=True, max_rows=None, max_cols=None)
        return "\n".join(
            [table, *(f"<p>{html.escape(line)}</p>" for line in (self._size(self.hidden()), *self.remarks()))]
        )

    def is_readable(self) -> bool:
        """Whether the columns that are shown are there, each once."""
        names = list(self.columns)
        return all(names.count(column.name) == 1 for column in self.SHOWN) and self.index.nlevels == 1

    def shown_columns(self) -> list[TextColumn]:
        """The columns to show, from left to right."""
        usual = {column.name for column in self.SHOWN} | set(self.HIDDEN)
        return [*self.SHOWN, *(TextColumn(str(name), spare=1) for name in self.columns if name not in usual)]

    def texts(self, rows: pd.DataFrame) -> list[list[str]]:
        """The cells of `rows`, a part of this frame, as they are shown under `shown_columns`."""
        columns = [[_text(value) for value in rows[column.name]] for column in self.shown_columns()]
        return [list(cells) for cells in zip(*columns, strict=True)]

    def remarks(self) -> list[str]:
        """Lines below the table."""
        return []

    def hidden(self) -> list[str]:
        """The columns that are not shown."""
        shown = {column.name for column in self.shown_columns()}
        return [str(name) for name in self.columns if name not in shown]

    def _size(self, hidden: Sequence[str]) -> str:
        more = f"; not shown: {', '.join(hidden)}" if hidden else ""
        return f"[{len(self)} rows x {len(self.columns)} columns{more}]"

    def _with_index(self) -> tuple[list[TextColumn], list[list[str]]]:
        """The columns with the index before them, and the rows that are shown."""
        columns = [TextColumn("", right=True), *self.shown_columns()]
        parts = self._ends()
        found: list[list[str]] = []
        for number, part in enumerate(parts):
            found += [_gap(columns, found[-1])] if number else []
            found += [[_text(label), *row] for label, row in zip(part.index, self.texts(part), strict=True)]
        return columns, found

    def _ends(self) -> list[pd.DataFrame]:
        """All rows, or the first and the last of a long table."""
        plain = pd.DataFrame(self)
        most, least = pd.get_option("display.max_rows"), pd.get_option("display.min_rows")
        if not most or len(plain) <= most:
            return [plain]
        half = max(1, min(least or most, most) // 2)
        return [plain.head(half), plain.tail(half)]


def _gap(columns: Sequence[TextColumn], before: Sequence[str]) -> list[str]:
    """The row of those that are left out; it stays below the heading of the row `before`."""
    cells = [cell if column.heading else "" for column, cell in zip(columns, before, strict=True)]
    return [GAP_ROW, *cells[1:]]


def _text(value: Any) -> str:
    """A cell: numbers with four digits, names with invisible characters escaped."""
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        number = float(value)
        return f"{number:.0f}" if number.is_integer() and abs(number) < EXACT else decimal(number, ".4g")
    return escape_unprintable(str(value))
