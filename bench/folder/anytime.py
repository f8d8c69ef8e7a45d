"""Anytime-valid intervals and p-values for pairs of cells that a rule may have stopped."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from bench.metrics.accuracy import correct
from bench.metrics.selection import rule_of
from bench.metrics.sequential import Values
from bench.metrics.told import difference_interval, difference_p
from bench.record import Cell


class MeasuredCell(Protocol):
    """A cell with its records."""

    @property
    def cell(self) -> Cell: ...
    @property
    def records(self) -> pd.DataFrame: ...


@dataclass(frozen=True)
class AnytimeDifference:
    """Interval and p of a difference, instead of those for a fixed sample size."""

    low: float
    high: float
    p: float


NOTHING = AnytimeDifference(-1.0, 1.0, 1.0)
"""Refuse two cells in different random orders: on the images of both, neither order is random."""


def anytime_difference(a: MeasuredCell, b: MeasuredCell) -> AnytimeDifference | None:
    """Return interval and p of A minus B if a rule may have stopped either cell; None otherwise, when the usual
    tests are valid."""
    rules = {rule for cell in (a, b) if (rule := rule_of(cell.cell.subset))}
    if not rules:
        return None
    if len({rule.seed for rule in rules}) > 1:
        return NOTHING
    width, total = min(rule.width for rule in rules), a.cell.protocol.images
    found = _differences(a, b)
    return AnytimeDifference(*difference_interval(found, total, width), difference_p(found, total, width))


def _differences(a: MeasuredCell, b: MeasuredCell) -> Values:
    """Return A minus B for each image that both scored, in the order of the cell that a rule may have stopped first."""
    ordered = min((cell for cell in (a, b) if rule_of(cell.cell.subset)), key=lambda cell: len(cell.records))
    left, right = (correct(cell.records).reindex(ordered.records["image_id"]) for cell in (a, b))
    both = (left.notna() & right.notna()).to_numpy()
    return np.asarray(left[both].astype(float).to_numpy() - right[both].astype(float).to_numpy(), dtype=np.float64)
