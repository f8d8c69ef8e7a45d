"""The leaderboard as `bench.leaderboard` returns it."""

import pandas as pd

from bench.board.text import for_terminal, legend, numbers
from bench.layout import TextColumn
from bench.readable import ReadableFrame
from bench.text import escape_unprintable

NEEDED = ("", "_low", "_high", "_n", "_protocol")


class BoardTable(ReadableFrame):
    """One row per model. It is shown with each number's rank and interval in one column, and with the notes."""

    SHOWN = (TextColumn("model"), TextColumn("method"), TextColumn("architecture"))

    def is_readable(self) -> bool:
        """Whether every number has its parts."""
        names = numbers(self)
        whole = all(f"{name}{part}" in self.columns for name in names for part in NEEDED)
        return super().is_readable() and bool(names) and whole

    def shown_columns(self) -> list[TextColumn]:
        """The model's columns and one for each number."""
        return for_terminal(self)[0]

    def hidden(self) -> list[str]:
        """The columns that are no part of a shown number."""
        parts = {f"{name}{part}" for name in numbers(self) for part in (*NEEDED, "_rank", "_subset")}
        return [name for name in super().hidden() if name not in parts]

    def texts(self, rows: pd.DataFrame) -> list[list[str]]:
        """Names, and each number with its rank and interval."""
        columns, found = for_terminal(rows)
        return [[escape_unprintable(row[column.name]) for column in columns] for row in found]

    def remarks(self) -> list[str]:
        """What the columns are, and what is left out of them."""
        notes = [f"note: {note}" for note in self.attrs.get("notes", [])]
        return [escape_unprintable(line) for line in (*legend(self, numbers(self)), *notes)]
