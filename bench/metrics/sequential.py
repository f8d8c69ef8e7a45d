"""Intervals that stay valid however often one looks, and the rule that stops a measurement by them.

Betting confidence sequences of Waudby-Smith and Ramdas (arXiv 2010.09686, "Estimating means of bounded random variables
by betting"), for sampling without replacement (their section 5): images come in random order, and each mean that is not
refuted by a bettor's winnings is in the interval.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bench.metrics.estimate import LEVEL, Estimate

Values = NDArray[np.float64]

MOST = 0.75
"""Share of its wealth that a bettor may lose at once."""

_HALVINGS = 45

POINTS = r"\d{1,999}(?:\.\d{1,20})?(?:e[+-]\d{2,3})?(?:/\d{1,999})?"
"""Pattern of the output of `write_points`, which `Fraction` reads; a longer number is not read."""

ANYTIME = f"{100 * LEVEL:.0f} % interval of the whole set valid at any time"
"""What a cell's `subset` says of a rule's numbers, after the rule."""

ORDER = rf"order of seed (\d{{1,40}}): {re.escape(ANYTIME)}"
"""Pattern of the output of `write_order`."""


def write_order(seed: int) -> str:
    """The end of every rule's text: in which order the images come, and what its numbers are."""
    return f"order of seed {seed}: {ANYTIME}"


def write_points(value: Fraction) -> str:
    """Percentage points exactly: `0.5`, and `1/3` where six digits would be another number."""
    short = f"{float(value):g}"
    return short if Fraction(short) == value else str(value)


def read_points(text: str) -> Fraction | None:
    """Read what `write_points` wrote; None if it is no number."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


@dataclass(frozen=True)
class StopRule:
    """Images in random order of `seed`, until half the interval's width is at most `points` percentage points."""

    points: Fraction
    seed: int = 0

    def __str__(self) -> str:
        return f"until {write_points(self.points)} points, {write_order(self.seed)}"

    @classmethod
    def parse(cls, text: str) -> "StopRule | None":
        """Read what `str()` wrote; None for any other text."""
        found = re.fullmatch(rf"until ({POINTS}) points, {ORDER}", text)
        points = read_points(found[1]) if found else None
        return cls(points, int(found[2])) if found and points is not None else None

    @property
    def width(self) -> float:
        """Half the width that is asked for, as a share."""
        return float(self.points) / 100

    def interval(self, values: Values, total: int) -> tuple[float, float]:
        """The interval of the mean over all `total` images, of those seen so far, [n] in [0, 1], in order."""
        return betting_interval(values, total, self.width)

    def met(self, values: Values, total: int) -> bool:
        """Whether these are enough."""
        low, high = self.interval(values, total)
        return (high - low) / 2 <= self.width

    def estimate(self, values: Values, total: int, unscored: int = 0) -> Estimate:
        """The mean of `values` with this interval."""
        return estimate_mean(values, self.interval(values, total), unscored)


def estimate_mean(values: Values, interval: tuple[float, float], unscored: int = 0) -> Estimate:
    """The mean of the values seen, [n], between the ends of an interval; NaN of none."""
    return Estimate(float(values.mean()) if len(values) else math.nan, *interval, len(values), unscored)


def betting_interval(values: Values, total: int, width: float) -> tuple[float, float]:
    """95 % interval of the mean of all `total` numbers in [0, 1], of which `values` [n] were drawn without replacement,
    in the order of drawing; valid for whatever n one stops at.

    One bettor stakes on the mean being higher than m and one on it being lower; m is refuted when either has ever
    multiplied its wealth by 2 / 0.05. The stakes are those that do best when half the interval's width is `width`.
    """
    n = len(values)
    if n == 0:
        return 0.0, 1.0
    won = _bettor(values, total, width)
    mean, least = float(values.mean()), float(values.sum()) / total
    most = least + (total - n) / total
    enough = math.log(2 / (1 - LEVEL))
    return _edge(least, mean, lambda m: won(m, True) >= enough), _edge(most, mean, lambda m: won(m, False) >= enough)


def betting_p(values: Values, total: int, width: float, mean: float) -> float:
    """Two-sided p of the hypothesis that all `total` numbers have this `mean`, as valid at any time as the interval."""
    if len(values) == 0:
        return 1.0
    won = _bettor(values, total, width)
    return min(1.0, 2 * math.exp(-max(won(mean, True), won(mean, False))))


def _bettor(values: Values, total: int, width: float) -> Callable[[float, bool], float]:
    """Return what the bettor on means above (or below) some m has ever made of its wealth, at most; as a logarithm."""
    before = np.concatenate([[0.0], np.cumsum(values)[:-1]])
    left = total - np.arange(len(values), dtype=np.float64)
    stakes = width / _variances(values)

    def won(m: float, upwards: bool) -> float:
        expected = (total * m - before) / left
        if upwards:
            gains = np.minimum(stakes, MOST / np.maximum(expected, 1e-12)) * (values - expected)
        else:
            gains = np.minimum(stakes, MOST / np.maximum(1 - expected, 1e-12)) * (expected - values)
        return float(np.log1p(np.maximum(gains, -MOST)).cumsum().max())

    return won


def _edge(outside: float, inside: float, refuted: Callable[[float], bool]) -> float:
    """Where refuted means end between `outside` and `inside`, told on the safe side."""
    if not refuted(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if refuted(middle) else (outside, middle)
    return outside


def _variances(values: Values) -> Values:
    """The variance guessed before each of `values` from those before it (equation 24 of the paper); never 0."""
    count = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (count + 1)
    seen = (0.25 + np.cumsum((values - means) ** 2)) / (count + 1)
    return np.concatenate([[0.25], seen[:-1]])
