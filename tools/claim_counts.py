"""What a results folder says of each claim: counts of paired outcomes by training seed, kept in results/claims.csv.

Intervals, p-values and verdicts are computed from the counts, so that each can be computed again.
"""

import csv
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.condition import Condition
from bench.folder.reader import ResultsFolder
from bench.folder.tables import load_suites
from bench.metrics.accuracy import correct
from bench.metrics.corruption import CORRUPTIONS
from tools.claim_list import C, Claim

MEASURED = Path(__file__).parents[1] / "results" / "claims.csv"
SEEDS = (0, 1, 2)
CORRUPTED = 5 * len(CORRUPTIONS)
"""Conditions of `tiny-c`; a mean over fewer is none."""


@dataclass(frozen=True)
class Counts:
    """Paired outcomes of a claim in one training seed, on the `n` images that both sides scored under `protocol`.

    both, better, worse: images right under both sides, and under one alone; -1 where each image's score is a mean
        over corruptions
    total, squares: sum of the differences of the images' scores, and of their squares
    """

    key: str
    seed: int
    protocol: str
    n: int
    both: int
    better: int
    worse: int
    total: float
    squares: float

    @property
    def points(self) -> float:
        """Accuracy of the better side less that of the worse, in points."""
        return 100 * self.total / self.n

    @property
    def whole(self) -> bool:
        """Whether each image is right or wrong, and no mean."""
        return self.both >= 0


def added(counts: Iterable[Counts]) -> Counts:
    """The same over the images of all seeds."""
    every = list(counts)
    sums = [sum(getattr(c, name) for c in every) for name in ("n", "both", "better", "worse", "total", "squares")]
    whole = all(c.whole for c in every)
    n, both, better, worse, total, squares = sums
    return Counts(
        every[0].key, -1, "", n, both if whole else -1, better if whole else -1, worse if whole else -1, total, squares
    )


def complete(directory: str | Path) -> pd.DataFrame:
    """The records of a results folder's complete cells, with `model`, `condition` and `protocol`; half a cell says
    nothing of the whole."""
    cells = {
        (suite.wanted.model, condition, cell.cell.protocol.hash): cell.records
        for suite in load_suites(ResultsFolder(str(directory)))
        for condition, cell in suite.cells.items()
    }
    names = ("model", "condition", "protocol")
    return pd.concat([frame.assign(**dict(zip(names, key, strict=True))) for key, frame in cells.items()])


Cells = Mapping[tuple[str, str], Mapping[str, pd.Series]]
"""(model, condition) -> protocol -> whether each image was right, [n] by image id; its mean for `C`."""


def outcomes(frame: pd.DataFrame) -> Cells:
    """Every cell of a frame of records; of `tiny-c` the means of each image, where all corruptions are there."""
    found: dict[tuple[str, str], dict[str, pd.Series]] = {}
    corrupted: dict[str, dict[str, dict[str, pd.Series]]] = {}
    for key, rows in frame.groupby(["model", "condition", "protocol"]):
        model, condition, protocol = map(str, key)
        right = correct(rows).astype(float).dropna()
        found.setdefault((model, condition), {})[protocol] = right
        if _corrupted(condition):
            corrupted.setdefault(model, {}).setdefault(condition, {})[protocol] = right
    for model, cells in corrupted.items():
        if len(cells) == CORRUPTED and all(len(by) == 1 for by in cells.values()):
            protocols = "".join(sorted(next(iter(by)) for by in cells.values()))
            every = [next(iter(by.values())) for by in cells.values()]
            found[model, C] = {protocols: pd.concat(every, axis=1, join="inner").mean(axis=1)}
    return found


def _corrupted(condition: str) -> bool:
    """Whether it is one of `tiny-c`'s: the tiny images corrupted, and nothing else done to them."""
    found = Condition.parse(condition)
    return bool(found.corruption) and not found.attack and not found.probes


def of_seed(recipe: str, seed: int) -> str:
    """`mbn@adv` of seed 1 is `tiny_mbn_s1@adv`."""
    name, at, branch = recipe.partition("@")
    return f"tiny_{name}" + (f"_s{seed}" if seed else "") + at + branch


def count(claim: Claim, found: Cells) -> Iterator[Counts]:
    """The claim in every seed of which both sides are in `found` under one protocol: that with most images."""
    for seed in SEEDS:
        better, worse = (found.get((of_seed(side, seed), claim.condition), {}) for side in (claim.better, claim.worse))
        pairs = {protocol: _pair(better[protocol], worse[protocol]) for protocol in better.keys() & worse.keys()}
        if pairs:
            protocol, pair = max(pairs.items(), key=lambda item: (len(item[1]), item[0]))
            yield _counted(claim, seed, "" if claim.condition == C else protocol, pair)


def _pair(better: pd.Series, worse: pd.Series) -> pd.DataFrame:
    return pd.concat([better, worse], axis=1, join="inner", keys=["a", "b"])


def _counted(claim: Claim, seed: int, protocol: str, pair: pd.DataFrame) -> Counts:
    a, b = pair["a"], pair["b"]
    whole = bool(pair.isin([0.0, 1.0]).all(axis=None))
    three = (int((a * b).sum()), int((a > b).sum()), int((b > a).sum())) if whole else (-1, -1, -1)
    return Counts(claim.key, seed, protocol, len(pair), *three, float((a - b).sum()), float(((a - b) ** 2).sum()))


def newest(before: Iterable[Counts], now: Iterable[Counts]) -> list[Counts]:
    """Each claim's counts of `now`, unless those of `before` are of more images: a folder need not have every claim."""
    claims: dict[str, list[Counts]] = {}
    for each in (before, now):
        by_key: dict[str, list[Counts]] = {}
        for one in each:
            by_key.setdefault(one.key, []).append(one)
        for key, seeds in by_key.items():
            if sum(c.n for c in seeds) >= sum(c.n for c in claims.get(key, [])):
                claims[key] = seeds
    return [one for seeds in claims.values() for one in seeds]


def write_counts(counts: Iterable[Counts], path: Path = MEASURED) -> None:
    """Write results/claims.csv, a row a claim and seed."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in dataclasses.fields(Counts)], lineterminator="\n")
        writer.writeheader()
        for one in counts:
            writer.writerow({k: f"{v:.10g}" if isinstance(v, float) else v for k, v in dataclasses.asdict(one).items()})


def read_counts(path: Path = MEASURED) -> list[Counts]:
    """Read what `write_counts` wrote. Raises `ValueError` for counts that cannot be."""
    with path.open(encoding="utf-8", newline="") as file:
        found = [
            Counts(
                row["key"],
                int(row["seed"]),
                row["protocol"],
                int(row["n"]),
                int(row["both"]),
                int(row["better"]),
                int(row["worse"]),
                float(row["total"]),
                float(row["squares"]),
            )
            for row in csv.DictReader(file)
        ]
    for one in found:
        if one.whole and (one.better - one.worse, one.better + one.worse) != (one.total, one.squares):
            raise ValueError(f"{path}: {one.key}, seed {one.seed}: counts and sums do not agree")
        if one.n <= 0 or math.isnan(one.total) or (one.whole and one.both + one.better + one.worse > one.n):
            raise ValueError(f"{path}: {one.key}, seed {one.seed}: more images right than there are")
    return found
