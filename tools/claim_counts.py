"""Counts of paired outcomes of each claim by training seed, from a results folder; stored in results/claims.csv.

Intervals, p-values and verdicts are computed from the counts, so that they can be recomputed.
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
from bench.folder.suites import load_suites
from bench.metrics.accuracy import correct
from bench.metrics.corruption import CORRUPTIONS
from tools.claim_list import C, Claim

MEASURED = Path(__file__).parents[1] / "results" / "claims.csv"
SEEDS = (0, 1, 2)
CORRUPTED = 5 * len(CORRUPTIONS)
"""Number of conditions in `tiny-c`, all of which a mean needs."""


@dataclass(frozen=True)
class Counts:
    """Paired outcomes of a claim for one training seed, over the `n` images scored for both sides under `protocol`.

    both, better, worse: images that both sides, or only that side, classify correctly; -1 if scores are means over
        corruptions
    total, squares: sums of the images' score differences and of their squares
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
        """Accuracy of the better side minus that of the worse, in percentage points."""
        return 100 * self.total / self.n

    @property
    def whole(self) -> bool:
        """Whether scores are 0 or 1, not means."""
        return self.both >= 0


def added(counts: Iterable[Counts]) -> Counts:
    """Return the counts over the images of all seeds."""
    every = list(counts)
    sums = [sum(getattr(c, name) for c in every) for name in ("n", "both", "better", "worse", "total", "squares")]
    whole = all(c.whole for c in every)
    n, both, better, worse, total, squares = sums
    return Counts(
        every[0].key, -1, "", n, both if whole else -1, better if whole else -1, worse if whole else -1, total, squares
    )


def complete(directory: str | Path) -> pd.DataFrame:
    """Return the records of a results folder's complete cells, with columns `model`, `condition` and `protocol`."""
    cells = {
        (suite.wanted.model, condition, cell.cell.protocol.hash): cell.records
        for suite in load_suites(ResultsFolder(str(directory)))
        for condition, cell in suite.cells.items()
    }
    names = ("model", "condition", "protocol")
    return pd.concat([frame.assign(**dict(zip(names, key, strict=True))) for key, frame in cells.items()])


Cells = Mapping[tuple[str, str], Mapping[str, pd.Series]]
"""(model, condition) -> protocol -> correctness of each image, [n] by image id; a mean over corruptions for `C`."""


def outcomes(frame: pd.DataFrame) -> Cells:
    """Return every cell of a frame of records, and each image's mean over `tiny-c` if all corruptions are present."""
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
    """Return whether a condition belongs to `tiny-c`: the tiny images, corrupted and not attacked."""
    found = Condition.parse(condition)
    return bool(found.corruption) and not found.attack and not found.probes


def of_seed(recipe: str, seed: int) -> str:
    """Return the model's name for a seed: `mbn@adv` and seed 1 give `tiny_mbn_s1@adv`."""
    name, at, branch = recipe.partition("@")
    return f"tiny_{name}" + (f"_s{seed}" if seed else "") + at + branch


def count(claim: Claim, found: Cells) -> Iterator[Counts]:
    """Yield the claim's counts for every seed with both sides in `found`, of the shared protocol with most images."""
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
    """Return each claim's counts by seed, from `now` rather than from `before`; of two protocols those with more
    images, or of `now`."""
    claims: dict[str, dict[str, dict[int, Counts]]] = {}
    for one in (*before, *now):
        protocols = claims.setdefault(one.key, {})
        seeds = protocols.pop(one.protocol, {})  # the last is the newest
        protocols[one.protocol] = seeds | {one.seed: one}
    chosen = [
        max(reversed(protocols.values()), key=lambda seeds: sum(c.n for c in seeds.values()))
        for protocols in claims.values()
    ]
    return [seeds[seed] for seeds in chosen for seed in sorted(seeds)]


def write_counts(counts: Iterable[Counts], path: Path = MEASURED) -> None:
    """Write results/claims.csv, one row per claim and seed."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in dataclasses.fields(Counts)], lineterminator="\n")
        writer.writeheader()
        for one in counts:
            writer.writerow({k: f"{v:.10g}" if isinstance(v, float) else v for k, v in dataclasses.asdict(one).items()})


def read_counts(path: Path = MEASURED) -> list[Counts]:
    """Read a file of `write_counts`. Raises `ValueError` for impossible counts."""
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
