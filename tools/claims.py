"""What the papers claim, as comparisons of tiny models; `python -m tools.claims RESULTS` writes the page.

A claim is that one model is better than another on a condition. It is tested on the same pictures, seed by seed and
over all seeds together, and printed however it comes out.
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from bench.attacks.autoattack import autoattack
from bench.folder.tables import records
from bench.metrics.accuracy import correct
from bench.metrics.estimate import Z
from bench.metrics.paired import holm, mcnemar, newcombe
from bench.suites.tiny import pgd20

PAGE = Path("docs/claims.md")
BEGIN, END = "<!-- generated: claims -->", "<!-- end -->"

INTRIGUING = "Intriguing Properties of Adversarial Training at Scale (1906.03787)"
SAT = "Smooth Adversarial Training (2006.14536)"
ADVPROP = "AdvProp (1911.09665)"
NOFROST = "NoFrost (2207.01156)"
OPEN = "What the papers leave open"

PGD = f"tiny/{pgd20().name}"
AA = f"tiny/{autoattack('linf', pgd20().eps).name}"
CLEAN, STYLISED, A, C = "tiny/clean", "tiny-stylized/clean", "tiny-a/clean", "tiny-c"
WHAT = {PGD: "PGD-20", AA: "AutoAttack", CLEAN: "clean", STYLISED: "stylised", A: "A", C: "corrupted"}

ALPHA = 0.05
SEEDS = (0, 1, 2)

Frames = Mapping[tuple[str, str], pd.Series]
"""(model, condition) -> whether each picture was right, [n] by image id; its mean over the corruptions for `C`."""


@dataclass(frozen=True)
class Published:
    """What the paper says of the comparison. `numbers` are rows of results/published.csv, the worse side first."""

    words: str = ""
    numbers: tuple[float, ...] = ()

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.words, " -> ".join(f"{n:g} %" for n in self.numbers)])) or "direction only"


@dataclass(frozen=True)
class Claim:
    """`better` is above `worse` (recipes, with their branches) in accuracy on a condition."""

    paper: str
    says: str
    better: str
    worse: str
    condition: str
    published: Published = Published()


_ALONE = Published("+18.3 points of robust accuracy, ResNet-152, targeted PGD-2000 at 16/255 (abstract)")
_SILU = Published("ResNet-50, PGD-50 at 4/255", (33.1, 41.9))
_GELU = Published("ResNet-50, PGD-50 at 4/255", (33.1, 41.5))
_ELU = Published("ResNet-50, PGD-50 at 4/255", (33.1, 40.7))
_SMOOTHRELU = Published("ResNet-50, PGD-50 at 4/255", (33.1, 40.1))

CLAIMS = (
    Claim(INTRIGUING, "adversarial images alone beat a mixture through one batch norm", "at", "mix", PGD, _ALONE),
    Claim(INTRIGUING, "the same under AutoAttack", "at", "mix", AA),
    Claim(INTRIGUING, "a batch norm for each domain beats one for both", "mbn@adv", "mix", PGD),
    Claim(INTRIGUING, "the same under AutoAttack", "mbn@adv", "mix", AA),
    Claim(INTRIGUING, "its clean branch beats the single batch norm on clean pictures", "mbn@clean", "mix", CLEAN),
    Claim(INTRIGUING, "group norm beats one batch norm on the mixture", "gn", "mix", PGD),
    Claim(INTRIGUING, "running statistics in the last epochs (consistent batch norm) help", "at_frozen", "at", PGD),
    Claim(INTRIGUING, "depth helps robustness", "at_deep", "at", PGD),
    Claim(SAT, "SiLU beats ReLU", "sat_silu", "at", PGD, _SILU),
    Claim(SAT, "the same under AutoAttack", "sat_silu", "at", AA),
    Claim(SAT, "SiLU costs no clean accuracy", "sat_silu", "at", CLEAN, Published("ResNet-50", (68.7, 69.7))),
    Claim(SAT, "GELU beats ReLU", "sat_gelu", "at", PGD, _GELU),
    Claim(SAT, "the same under AutoAttack", "sat_gelu", "at", AA),
    Claim(SAT, "ELU beats ReLU", "sat_elu", "at", PGD, _ELU),
    Claim(SAT, "SmoothReLU beats ReLU", "sat_smoothrelu", "at", PGD, _SMOOTHRELU),
    Claim(SAT, "softplus beats ReLU", "sat_parametric_softplus", "at", PGD),
    Claim(SAT, "a smooth backward pass in the attacker alone helps", "sat_smooth_attack", "at", PGD),
    Claim(SAT, "a smooth backward pass in the update alone helps", "sat_smooth_update", "at", PGD),
    Claim(SAT, "a smooth backward pass in both helps", "sat_smooth_both", "at", PGD),
    Claim(
        ADVPROP,
        "the main branch beats vanilla training",
        "advprop@clean",
        "std",
        CLEAN,
        Published("EfficientNet-B7, +0.7 points (abstract)"),
    ),
    Claim(ADVPROP, "the main branch beats vanilla training of equal time", "advprop@clean", "std_long", CLEAN),
    Claim(
        ADVPROP,
        "the same on corrupted pictures",
        "advprop@clean",
        "std_long",
        C,
        Published("EfficientNet-B7, mCE 6.5 points lower (abstract)"),
    ),
    Claim(
        ADVPROP,
        "the same on natural adversarial pictures",
        "advprop@clean",
        "std_long",
        A,
        Published("EfficientNet-B7, +7.0 points (abstract)"),
    ),
    Claim(
        ADVPROP,
        "the same on stylised pictures",
        "advprop@clean",
        "std_long",
        STYLISED,
        Published("EfficientNet-B7, +4.8 points (abstract)"),
    ),
    Claim(ADVPROP, "the auxiliary batch norm beats one for both", "advprop@clean", "advprop_single", CLEAN),
    Claim(ADVPROP, "it beats adversarial pre-training with clean fine-tuning", "advprop@clean", "advprop_tuned", CLEAN),
    Claim(ADVPROP, "a third branch for augmented pictures helps", "advprop_fine@clean", "advprop@clean", CLEAN),
    Claim(ADVPROP, "a small network wants a weak attacker", "advprop_eps1@clean", "mbn@clean", CLEAN),
    Claim(ADVPROP, "a larger network wants a stronger one", "mbn_deep@clean", "advprop_eps1_deep@clean", CLEAN),
    Claim(
        NOFROST,
        "no normalisation beats batch norm on the same mixture",
        "nofrost",
        "mix",
        PGD,
        Published("NF-ResNet-50 against ResNet-50, PGD-20 at 8/255", (13.57, 23.56)),
    ),
    Claim(NOFROST, "the same under AutoAttack", "nofrost", "mix", AA),
    Claim(
        NOFROST,
        "no normalisation keeps clean accuracy better",
        "nofrost",
        "mix",
        CLEAN,
        Published("NF-ResNet-50 against ResNet-50", (59.28, 74.06)),
    ),
    Claim(NOFROST, "the same with augmentations (NoFrost*)", "nofrost_star", "mix_star", PGD),
    Claim(OPEN, "plain adversarial training beats AdvProp's adversarial branch", "at", "advprop@adv", PGD),
    Claim(OPEN, "adversarial training makes a network robust at all", "at", "std", PGD),
)


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

    def verdict(self, p: float) -> Verdict:
        """Judge with `p` as corrected over all claims: every seed on one side, and the pooled test significant."""
        if self.pooled is None:
            return "not tested"
        signs = {math.copysign(1, d.points) if d.points else 0 for d in self.seeds.values()}
        if p >= ALPHA or len(signs) > 1:
            return "undecided"
        return "reproduced" if signs == {1} else "reversed"


def outcomes(frame: pd.DataFrame) -> Frames:
    """Choose from a frame of records, for each model and condition the cell of most pictures."""
    found: dict[tuple[str, str], pd.Series] = {}
    for key, rows in frame.groupby(["model", "condition", "protocol"]):
        model, condition, right = str(key[0]), str(key[1]), correct(rows).astype(float)
        if len(right) > len(found.get((model, condition), ())):
            found[model, condition] = right
    for model in sorted({model for model, _ in found}):
        corrupted = [right for (m, condition), right in found.items() if m == model and condition.startswith(f"{C}/")]
        if corrupted:
            found[model, C] = pd.concat(corrupted, axis=1, join="inner").mean(axis=1)
    return found


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


def page(tested: Sequence[Examined]) -> Iterator[str]:
    """A table a paper, each claim with its published numbers, its differences here, and the verdict."""
    done = [t for t in tested if t.pooled]
    corrected = dict(zip([id(t) for t in done], holm([t.pooled.p for t in done if t.pooled]), strict=True))
    for paper in dict.fromkeys(t.claim.paper for t in tested):
        yield f"## {paper}\n"
        yield "| claim | published | compared | on | points, by seed | all seeds | p (Holm) | verdict |"
        yield "|---|---|---|---|---|---:|---:|---|"
        yield from (_row(t, corrected.get(id(t), 1.0)) for t in tested if t.claim.paper == paper)
        yield ""


def _row(tested: Examined, p: float) -> str:
    claim = tested.claim
    seeds = "; ".join(f"{d.points:+.1f}" for d in tested.seeds.values())
    pooled = f"{tested.pooled} (n {tested.pooled.n})" if tested.pooled else ""
    verdict = tested.verdict(p) + (" (one seed)" if len(tested.seeds) == 1 else "")
    sides, here = f"`{claim.better}` - `{claim.worse}`", f"{p:.2g}" if tested.pooled else ""
    cells = [claim.says, str(claim.published), sides, WHAT[claim.condition], seeds, pooled, here, f"**{verdict}**"]
    return f"| {' | '.join(cells)} |"


def put(path: Path, begin: str, end: str, lines: Sequence[str]) -> None:
    """Replace what stands between the two markers of a page."""
    head, _, rest = path.read_text(encoding="utf-8").partition(begin)
    path.write_text(f"{head}{begin}\n" + "\n".join(lines) + f"\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def main() -> None:
    """Replace the generated part of the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.claims", description=__doc__)
    parser.add_argument("results", type=Path, help="results folder with the tiny suites")
    found = outcomes(records(parser.parse_args().results))
    put(PAGE, BEGIN, END, list(page([examine(claim, found) for claim in CLAIMS])))


if __name__ == "__main__":
    main()
