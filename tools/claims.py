"""Generator of the page of claims: `python -m tools.claims [RESULTS]`.

With a results folder, its counts are first written to results/claims.csv; the page is made from that file.

A claim states that one model is better than another under a condition. It is tested on the same images, for each seed
and for all seeds together, and printed whatever the result.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.metrics.estimate import Z
from bench.metrics.paired import holm, mcnemar, newcombe
from bench.rounding import decimal, with_interval
from tools.claim_counts import Counts, added, complete, count, newest, outcomes, read_counts, write_counts
from tools.claim_list import CLAIMS, WHAT, Claim
from tools.pages import between

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "claims.md"

BEGIN = "<!-- generated: claims -->"

ALPHA = 0.05

Verdict = Literal["reproduced", "reversed", "undecided"]


@dataclass(frozen=True)
class Difference:
    """Accuracy of the better side minus that of the worse, in percentage points; p is two-sided."""

    points: float
    low: float
    high: float
    n: int
    p: float


def difference(counts: Counts) -> Difference:
    """Test paired outcomes: McNemar's exact test and Newcombe's interval, or a paired t-test for means."""
    n = counts.n
    if counts.whole:
        neither = n - counts.both - counts.better - counts.worse
        low, high = newcombe(counts.both, counts.better, counts.worse, neither)
        return Difference(counts.points, 100 * low, 100 * high, n, mcnemar(counts.better, counts.worse))
    from scipy.stats import t

    mean = counts.total / n
    error = math.sqrt(max(counts.squares - n * mean**2, 0.0) / (n - 1) / n)
    p = float(2 * t.sf(abs(mean) / error, n - 1)) if error else float(mean == 0)
    return Difference(100 * mean, 100 * (mean - Z * error), 100 * (mean + Z * error), n, p)


@dataclass(frozen=True)
class Line:
    """Measurement of the claim `key`: points by seed, points over all seeds with their interval, and `p` after Holm's
    correction over all claims."""

    key: str
    seeds: tuple[float, ...]
    points: float
    low: float
    high: float
    n: int
    p: float

    @property
    def verdict(self) -> Verdict:
        """Verdict: decided if all seeds have the same sign and p is below 0.05."""
        signs = {math.copysign(1, points) if points else 0 for points in self.seeds}
        if self.p >= ALPHA or len(signs) > 1:
            return "undecided"
        return "reproduced" if signs == {1} else "reversed"

    @property
    def would_change(self) -> str:
        """Return what would change the verdict."""
        seeds = len(self.seeds)
        if self.verdict != "undecided":
            other = "below" if self.verdict == "reproduced" else "above"
            return f"a training seed {other} 0" + (", of which one was trained" if seeds == 1 else "")
        if len({points > 0 for points in self.seeds}) > 1:
            return "seeds that agree: training alone moves it more than the claim does"
        half = (self.high - self.low) / 2
        wanted = self.n * (SURE * half / max(abs(self.points), 0.05)) ** 2
        return f"about {math.ceil(wanted / seeds / 100) * 100:,} images a seed at this difference"


HEADER = (
    "claim",
    "figure",
    "published",
    "compared",
    "on",
    "points, by seed",
    "all seeds",
    "p (Holm)",
    "verdict",
    "what would change it",
)

SURE = 1.7
"""Approximate difference, in half-widths of the 95 % interval, that is significant after Holm's correction."""


def lines(counts: Sequence[Counts]) -> list[Line]:
    """Return the measured claims with p corrected over all of them."""
    by_key: dict[str, list[Counts]] = {}
    for one in counts:
        by_key.setdefault(one.key, []).append(one)
    pooled = {key: difference(added(seeds)) for key, seeds in by_key.items()}
    return [
        Line(key, tuple(seed.points for seed in by_key[key]), found.points, found.low, found.high, found.n, p)
        for (key, found), p in zip(pooled.items(), holm([found.p for found in pooled.values()]), strict=True)
    ]


def page(measured: Sequence[Line], claims: Sequence[Claim] = ()) -> Iterator[str]:
    """Yield one table per paper: each claim with its figure, published numbers, measured differences and verdict."""
    by_key = {line.key: line for line in measured}
    for paper in dict.fromkeys(claim.paper for claim in claims or CLAIMS):
        yield f"## {paper}\n"
        yield f"| {' | '.join(HEADER)} |"
        yield "|---|---|---|---|---|---|---:|---:|---|---|"
        yield from (_row(claim, by_key.get(claim.key)) for claim in claims or CLAIMS if claim.paper == paper)
        yield ""


def _row(claim: Claim, line: Line | None) -> str:
    told = ["", "", "", "**not tested**", "a measurement"]
    if line:
        one = " (one seed)" if len(line.seeds) == 1 else ""
        told = [
            "; ".join(f"{decimal(points, '+.1f')}" for points in line.seeds),
            f"{with_interval(line.points, line.low, line.high, '+.1f')} (n {line.n})",
            decimal(line.p, ".2g") if line.p > 1e-300 else "< 1e-300",
            f"**{line.verdict}{one}**",
            line.would_change,
        ]
    sides, figure = f"`{claim.better}` - `{claim.worse}`", claim.figure and f"`{claim.figure}`"
    return f"| {' | '.join([claim.says, figure, str(claim.published), sides, WHAT[claim.condition], *told])} |"


def whole() -> str:
    """Return the page with its generated part renewed."""
    return between(PAGE.read_text(encoding="utf-8"), BEGIN, page(lines(read_counts())))


def main() -> None:
    """Count outcomes if a results folder is given, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.claims", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", help="results folder with the tiny suites")
    if folder := parser.parse_args().results:
        found = outcomes(complete(folder))
        measured = newest(read_counts(), [counts for claim in CLAIMS for counts in count(claim, found)])
        write_counts(one for one in measured if one.key in {claim.key for claim in CLAIMS})
    PAGE.write_text(whole(), encoding="utf-8")


if __name__ == "__main__":
    main()
