"""Two models on the same images in random order: a difference that may be looked at at any time, and the rule that
stops by it.

An image's outcome is 1 where A alone is right, 0 where B alone is, one half else. Its mean over all images is known by
the betting sequence of `bench.metrics.sequential`, and says the difference of the accuracies.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bench.metrics.estimate import Estimate
from bench.metrics.sequential import (
    ORDER,
    POINTS,
    StopRule,
    Values,
    betting_interval,
    betting_p,
    estimate_mean,
    read_points,
    write_order,
    write_points,
)

WIDTH = 0.05
"""Half the width at which an accuracy's own interval does best that stands beside a difference."""


@dataclass(frozen=True)
class TellRule:
    """Images in random order of `seed` for two models, until they are told apart or differ by less than `gap` points.

    names: what the two are called, for people; a cell's partner is the other one of its run under the same condition
    """

    names: str
    gap: Fraction
    seed: int = 0

    def __str__(self) -> str:
        gap = write_points(self.gap)
        return f"until {self.names} are told apart or within {gap} points, {write_order(self.seed)}"

    @classmethod
    def parse(cls, text: str) -> "TellRule | None":
        """Read what `str()` wrote; None for any other text."""
        found = re.fullmatch(rf"until (.+) are told apart or within ({POINTS}) points, {ORDER}", text, re.DOTALL)
        gap = read_points(found[2]) if found else None
        return cls(found[1], gap, int(found[3])) if found and gap is not None else None

    @property
    def width(self) -> float:
        """Half the width of the interval of a difference that excludes the gap, as a share."""
        return float(self.gap) / 100

    def difference(self, a: Values, b: Values, total: int) -> tuple[float, float]:
        """The interval of the difference over all `total` images, of 0 and 1 [n] for both, in order."""
        return difference_interval(a - b, total, self.width)

    def met(self, a: Values, b: Values, total: int) -> bool:
        """Whether the two are told apart, or the gap is excluded."""
        low, high = self.difference(a, b, total)
        return low > 0 or high < 0 or (-self.width < low and high < self.width)

    def estimate(self, values: Values, total: int, unscored: int = 0) -> Estimate:
        """The mean of one model's `values` with its own interval, valid whenever one looks."""
        return estimate_mean(values, betting_interval(values, total, WIDTH), unscored)


Rule = StopRule | TellRule
"""What may stop a measurement before its last image."""


Seen = Mapping[int, Values]
"""Outcomes of a cell's images by the start of their unit: 1 right, 0 wrong, NaN not scored. Units come in any order,
and some may be lacking: what has no start in common is of unlike images."""


def is_enough(rule: Rule | None, mine: Seen, other: Seen, total: int) -> bool:
    """Whether what was seen of a cell meets its rule; `other` is what was seen of the model from which a `TellRule` is
    to tell it."""
    if isinstance(rule, TellRule):
        starts = sorted(mine.keys() & other.keys())
        both = [np.concatenate([seen[start] for start in starts]) for seen in (mine, other)] if starts else []
        return bool(both) and rule.met(*in_common(*both), total)
    return rule is not None and bool(mine) and rule.met(scored(mine), total)


def with_rule(found: Estimate, rule: Rule | None, seen: Callable[[], Seen], total: int) -> Estimate:
    """The accuracy `found` of a cell, with the interval of the rule that may have stopped it if there is one."""
    return found if rule is None else rule.estimate(scored(seen()), total, found.unscored)


def scored(seen: Seen) -> Values:
    """The outcomes of the scored images, in order."""
    values = np.concatenate([np.zeros(0), *(own for _, own in sorted(seen.items()))])
    return np.asarray(values[~np.isnan(values)])


def difference_interval(differences: Values, total: int, width: float) -> tuple[float, float]:
    """95 % interval of the mean of all `total` differences in [-1, 1], of those seen [n], in order; valid whatever n
    one stops at. Does best where half its width is `width`."""
    low, high = betting_interval((differences + 1) / 2, total, width / 2)
    return 2 * low - 1, 2 * high - 1


def difference_p(differences: Values, total: int, width: float) -> float:
    """p of no difference, valid whatever n one stops at (Waudby-Smith and Ramdas, section 4: the inverse of the most
    that a bettor against it has won, doubled for two sides)."""
    return betting_p((differences + 1) / 2, total, width / 2, 0.5)


def in_common(a: Values, b: Values) -> tuple[Values, Values]:
    """Both outcomes of the images that both models scored; NaN says that one did not."""
    count = min(len(a), len(b))
    scored = ~(np.isnan(a[:count]) | np.isnan(b[:count]))
    return a[:count][scored], b[:count][scored]
