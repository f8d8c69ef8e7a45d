"""The table of `bench.results`: its columns, and how it shows itself."""

import pandas as pd

from bench.folder.rows import RESULT_COLUMNS, ResultRows, remarks
from bench.layout import TextColumn
from bench.readable import ReadableFrame
from bench.text import escape_unprintable


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
        problems = [escape_unprintable(f"incomplete: {problem}") for problem in self.attrs.get("problems", [])]
        rows = self[["reliability", "model", "suite", "because", "subset"]].to_dict("records")
        named = [{str(k): v for k, v in row.items()} for row in rows]
        return [*remarks(named, self.attrs.get("remarks", [])), *problems]


def as_frame(numbers: ResultRows) -> ResultsTable:
    """Return the numbers as the table of `results`; its `attrs` hold `problems`, `unanswered` and `remarks`."""
    frame = ResultsTable(numbers.rows, columns=list(RESULT_COLUMNS))
    frame.attrs |= {name: getattr(numbers, name) for name in ("problems", "unanswered", "remarks")}
    return frame
