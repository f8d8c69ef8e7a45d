"""What the papers claim, as comparisons of tiny models; `python -m tools.claims [RESULTS]` writes the page.

With a results folder what it measures goes to results/claims.csv first; the page is made from that file.

A claim is that one model is better than another on a condition. It is tested on the same pictures, seed by seed and
over all seeds together, and printed however it comes out.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from bench.condition import Condition
from bench.folder.tables import records
from bench.metrics.accuracy import correct
from bench.metrics.estimate import Z
from bench.metrics.paired import holm, mcnemar, newcombe
from tools.claim_list import CLAIMS, WHAT, C, Claim

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "claims.md"
MEASURED = ROOT / "results" / "claims.csv"
BEGIN, END = "<!-- generated: claims -->", "<!-- end -->"

ALPHA = 0.05
SEEDS = (0, 1, 2)

Frames = Mapping[tuple[str, str], pd.Series]
"""(model, condition) -> whether each picture was right, [n] by image id; its mean over the corruptions for `C`."""


@dataclass(frozen=True)
class Difference:
    """Accuracy of the better side less that of the worse, in points; p is two-sided."""

    points: float
    low: float
    high: float
    n: int
    p: float

    def __str__(self) -> str:
        return f"{self.points:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


Verdict = Literal["reproduced", "reversed", "undecided", "not tested"]


@dataclass(frozen=True)
class Examined:
    """A claim with its difference for each seed, and over the pictures of all seeds."""

    claim: Claim
    seeds: dict[int, Difference]
    pooled: Difference | None


def outcomes(frame: pd.DataFrame) -> Frames:
    """Choose from a frame of records, for each model and condition the cell of most pictures."""
    found: dict[tuple[str, str], pd.Series] = {}
    for key, rows in frame.groupby(["model", "condition", "protocol"]):
        model, condition, right = str(key[0]), str(key[1]), correct(rows).astype(float)
        if len(right) > len(found.get((model, condition), ())):
            found[model, condition] = right
    for model in sorted({model for model, _ in found}):
        corrupted = [right for (m, condition), right in found.items() if m == model and _corrupted(condition)]
        if corrupted:
            found[model, C] = pd.concat(corrupted, axis=1, join="inner").mean(axis=1)
    return found


def _corrupted(condition: str) -> bool:
    """Whether it is one of `tiny-c`'s: the tiny pictures corrupted, and nothing else done to them."""
    found = Condition.parse(condition) if condition != C else None
    return found is not None and bool(found.corruption) and not found.attack and not found.probes


def examine(claim: Claim, found: Frames) -> Examined:
    """The claim on every seed of which both sides are in `found`."""
    pairs = {}
    for seed in SEEDS:
        sides = [found.get((of_seed(model, seed), claim.condition)) for model in (claim.better, claim.worse)]
        if sides[0] is not None and sides[1] is not None:
            both = pd.concat(sides, axis=1, join="inner", keys=["a", "b"])
            pairs[seed] = both.set_index(both.index.astype(str) + f"/{seed}")
    pooled = difference(pd.concat(pairs.values())) if pairs else None
    return Examined(claim, {seed: difference(both) for seed, both in pairs.items()}, pooled)


def difference(both: pd.DataFrame) -> Difference:
    """Test the columns a and b: McNemar's exact test and Newcombe's interval, or the paired t-test for means."""
    a, b, n = both["a"], both["b"], len(both)
    if both.isin([0.0, 1.0]).all(axis=None):
        shared, only_a, only_b = int((a * b).sum()), int((a > b).sum()), int((b > a).sum())
        low, high = newcombe(shared, only_a, only_b, n - shared - only_a - only_b)
        return Difference(100 * (only_a - only_b) / n, 100 * low, 100 * high, n, mcnemar(only_a, only_b))
    from scipy.stats import ttest_rel

    gaps = (a - b).to_numpy()
    mean, half = float(gaps.mean()), Z * float(gaps.std(ddof=1)) / math.sqrt(n)
    return Difference(100 * mean, 100 * (mean - half), 100 * (mean + half), n, float(ttest_rel(a, b).pvalue))


def of_seed(recipe: str, seed: int) -> str:
    """`mbn@adv` of seed 1 is `tiny_mbn_s1@adv`."""
    name, at, branch = recipe.partition("@")
    return f"tiny_{name}" + (f"_s{seed}" if seed else "") + at + branch


@dataclass(frozen=True)
class Line:
    """What was measured of a claim (`key`): points by seed, then over all seeds with their interval; `p` as corrected
    by Holm over all claims."""

    key: str
    seeds: tuple[float, ...]
    points: float
    low: float
    high: float
    n: int
    p: float

    @property
    def verdict(self) -> Verdict:
        """Every seed on one side and p under 0.05, or neither."""
        signs = {math.copysign(1, points) if points else 0 for points in self.seeds}
        if self.p >= ALPHA or len(signs) > 1:
            return "undecided"
        return "reproduced" if signs == {1} else "reversed"

    @property
    def would_change(self) -> str:
        """What would change the verdict."""
        seeds = len(self.seeds)
        if self.verdict != "undecided":
            other = "below" if self.verdict == "reproduced" else "above"
            return f"a training seed {other} 0" + (", of which one was trained" if seeds == 1 else "")
        if len({points > 0 for points in self.seeds}) > 1:
            return "seeds that agree: training alone moves it more than the claim does"
        half = (self.high - self.low) / 2
        wanted = self.n * (SURE * half / max(abs(self.points), 0.05)) ** 2
        return f"about {math.ceil(wanted / seeds / 100) * 100:,} pictures a seed at this difference"


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
"""Half-widths of a 95 % interval that Holm's correction over these claims asks of a difference, about."""


def lines(tested: Sequence[Examined]) -> list[Line]:
    """The measured claims, corrected over all of them."""
    done = [(t, t.pooled) for t in tested if t.pooled]
    corrected = holm([pooled.p for _, pooled in done])
    return [
        Line(
            t.claim.key, tuple(d.points for d in t.seeds.values()), pooled.points, pooled.low, pooled.high, pooled.n, p
        )
        for (t, pooled), p in zip(done, corrected, strict=True)
    ]


def write_lines(found: Sequence[Line], path: Path = MEASURED) -> None:
    """Write results/claims.csv, seeds at semicolons."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Line.__dataclass_fields__)
        for line in found:
            seeds = ";".join(f"{points:.1f}" for points in line.seeds)
            ends = (f"{value:.1f}" for value in (line.points, line.low, line.high))
            writer.writerow([line.key, seeds, *ends, line.n, f"{line.p:.2g}"])


def read_lines(path: Path = MEASURED) -> list[Line]:
    """Read what `write_lines` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Line(
                row["key"],
                tuple(float(points) for points in row["seeds"].split(";")),
                float(row["points"]),
                float(row["low"]),
                float(row["high"]),
                int(row["n"]),
                float(row["p"]),
            )
            for row in csv.DictReader(file)
        ]


def page(measured: Sequence[Line], claims: Sequence[Claim] = ()) -> Iterator[str]:
    """A table a paper, each claim with its figure and published numbers, its differences here, and the verdict."""
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
            "; ".join(f"{points:+.1f}" for points in line.seeds),
            f"{line.points:+.1f} [{line.low:+.1f}, {line.high:+.1f}] (n {line.n})",
            f"{line.p:.2g}",
            f"**{line.verdict}{one}**",
            line.would_change,
        ]
    sides, figure = f"`{claim.better}` - `{claim.worse}`", claim.figure and f"`{claim.figure}`"
    return f"| {' | '.join([claim.says, figure, str(claim.published), sides, WHAT[claim.condition], *told])} |"


def whole() -> str:
    """The page with its generated part made anew."""
    return between(PAGE.read_text(encoding="utf-8"), BEGIN, END, list(page(read_lines())))


def between(text: str, begin: str, end: str, lines: Sequence[str]) -> str:
    """`text` with what stands between the two markers replaced."""
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n" + "\n".join(lines) + f"\n{end}{rest.partition(end)[2]}"


def main() -> None:
    """Measure where there is a results folder, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.claims", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", help="results folder with the tiny suites")
    if folder := parser.parse_args().results:
        found = outcomes(records(folder))
        write_lines(lines([examine(claim, found) for claim in CLAIMS]))
    PAGE.write_text(whole(), encoding="utf-8")


if __name__ == "__main__":
    main()
