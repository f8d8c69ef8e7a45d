"""Pairs of models as `bench.compare` returns them."""

import functools
import html
from dataclasses import dataclass

import pandas as pd

from bench.folder.reader import ResultsFolder
from bench.folder.verdicts import in_order, summary
from bench.layout import TextColumn, paragraph
from bench.metrics.paired import changed
from bench.readable import ReadableFrame
from bench.text import escape_unprintable


class PairsTable(ReadableFrame):
    """The table of `Pairs`: one row per pair and condition."""

    SHOWN = (
        TextColumn("a"),
        TextColumn("b"),
        TextColumn("condition"),
        TextColumn("difference", right=True),
        TextColumn("low", right=True),
        TextColumn("high", right=True),
        TextColumn("n", right=True),
        TextColumn("only_a", right=True, spare=1),
        TextColumn("only_b", right=True, spare=1),
        TextColumn("p_holm", right=True),
    )
    HIDDEN = ("p", "family", "kappa", "protocol")


@dataclass(frozen=True, repr=False)
class Pairs:
    """All pairs of some models.

    table: a row per pair and condition, and one for mCE if both have it (0.02 is 2 points in all rows). `p` is
    McNemar's exact test; for cells that a rule may have stopped, p and interval are from a betting sequence
    (anytime-valid); for mCE, p is from the paired t-test over images and the interval from the paired bootstrap.
    `p_holm` is corrected over the `family` of all comparable pairs of the folder under the same condition and protocol,
    whichever are requested, as for the leaderboard's ranks. `kappa` is error consistency (`bench.metrics.consistency`)
    refused: pairs without a common condition under one protocol, with the difference
    folder: the ids of two cells for each compared pair and condition
    """

    table: PairsTable
    refused: dict[str, str]
    folder: ResultsFolder
    alike: dict[tuple[str, str, str], tuple[str, str]]

    def __repr__(self) -> str:
        table = [repr(self.table)] if len(self.table) else []
        return "\n".join([*map(paragraph, self.summary), *table, *(paragraph(line, 2) for line in self._refusals)])

    def _repr_html_(self) -> str:
        said = [f"<p>{html.escape(line)}</p>" for line in self.summary]
        table = [self.table._repr_html_() or ""] if len(self.table) else []
        return "\n".join([*said, *table, *(f"<p>{html.escape(line)}</p>" for line in self._refusals)])

    @property
    def summary(self) -> list[str]:
        """Return one sentence per pair: on how many conditions which model is better."""
        rows = [{str(name): value for name, value in row.items()} for row in self.table.to_dict("records")]
        return [escape_unprintable(line) for line in summary(in_order(rows))]

    @property
    def _refusals(self) -> list[str]:
        return [escape_unprintable(f"not compared: {pair}: {why}") for pair, why in self.refused.items()]

    @functools.cached_property
    def images(self) -> pd.DataFrame:
        """Return the images that exactly one of a pair classifies correctly, by pair and condition; read on demand."""
        found = []
        for (a, b, condition), pair in self.alike.items():
            mine, other = (self.folder.load(cell).records for cell in pair)
            found.append(changed(mine, other).assign(condition=condition, a=a, b=b))
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
