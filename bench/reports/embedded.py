"""Write the tables and contact sheets of docs/embedded.md: `python -m bench.reports.embedded RESULTS`.

What stands in the page between its two markers is replaced; everything else is written by hand.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bench.datasets import embedded
from bench.metrics.paired import compare, holm
from bench.reports.tables import records, results
from bench.suites.tiny import PGD20

PAGE = Path("docs/embedded.md")
BEGIN, END = "<!-- generated: tables -->", "<!-- end -->"

COLUMNS = {
    "clean": ("tiny", "accuracy"), "PGD-20": ("tiny-pgd", "robust_accuracy"),
    "corruption error": ("tiny-c", "mean_error"), "A": ("tiny-a", "accuracy"),
    "stylised": ("tiny-stylized", "accuracy"),
    "shape bias": ("tiny-cue-conflict", "shape_bias"),
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A published effect: `better` above `worse` on the data sets' condition, here for each seed trained."""

    paper: str
    better: str
    worse: str
    condition: str


PGD = f"tiny/{PGD20.name}"
CLEAN, STYLISED, A = "tiny/clean", "tiny-stylized/clean", "tiny-a/clean"

CLAIMS = (
    Claim("undefended networks are not robust", "tiny_at", "tiny_std", PGD),
    Claim("Intriguing: adversarial images alone above a mixture through one batch norm", "tiny_at", "tiny_mix", PGD),
    Claim("Intriguing: mixture BN's adversarial branch above one batch norm", "tiny_mbn@adv", "tiny_mix", PGD),
    Claim("Intriguing: adversarial images alone above mixture BN's branch", "tiny_at", "tiny_mbn@adv", PGD),
    Claim("Intriguing: mixture BN's clean branch above one batch norm, clean", "tiny_mbn@clean", "tiny_mix", CLEAN),
    Claim("Intriguing: group norm above one batch norm", "tiny_gn", "tiny_mix", PGD),
    Claim("SAT: SiLU above ReLU", "tiny_sat_silu", "tiny_at", PGD),
    Claim("SAT: SiLU above ReLU, clean", "tiny_sat_silu", "tiny_at", CLEAN),
    Claim("AdvProp: main branch above vanilla, clean", "tiny_advprop@clean", "tiny_std", CLEAN),
    Claim("AdvProp: main branch above vanilla of equal time, clean", "tiny_advprop@clean", "tiny_std_long", CLEAN),
    Claim("AdvProp: main branch above vanilla of equal time, stylised",
          "tiny_advprop@clean", "tiny_std_long", STYLISED),
    Claim("AdvProp: main branch above vanilla of equal time, A", "tiny_advprop@clean", "tiny_std_long", A),
    Claim("AdvProp's robustness: plain adversarial training above it", "tiny_at", "tiny_advprop@adv", PGD),
    Claim("NoFrost: no normalisation above one batch norm, same mixture", "tiny_nofrost", "tiny_mix", PGD),
)  # fmt: skip


def model_table(frame: pd.DataFrame) -> Iterator[str]:
    """One line a model: each suite's headline in percent with its interval; the header says n."""
    rows = frame[frame["condition"] == "all"].to_dict("records")
    found = {(row["model"], row["suite"], row["metric"]): row for row in rows}
    sizes = {title: sorted({row["n"] for (_, *key), row in found.items() if tuple(key) == wanted})
             for title, wanted in COLUMNS.items()}  # fmt: skip
    yield "| model | " + " | ".join(f"{title} (n {_range(sizes[title])})" for title in COLUMNS) + " |"
    yield "|---|" + "---:|" * len(COLUMNS)
    for model in sorted(set(frame["model"])):
        cells = [_cell(found[model, *key]) if (model, *key) in found else "" for key in COLUMNS.values()]
        yield f"| `{model}` | " + " | ".join(cells) + " |"


def _range(sizes: Sequence[int]) -> str:
    return "" if not sizes else f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}..{sizes[-1]}"


def _cell(row: Mapping[Any, Any]) -> str:
    return f"{100 * row['value']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def claim_table(frame: pd.DataFrame) -> Iterator[str]:
    """One line a claim and seed: the paired difference in points, McNemar's p, and Holm's over all lines."""
    cells = sorted(frame.groupby(["model", "condition", "protocol"]), key=lambda cell: len(cell[1]))
    frames = {(model, condition): rows for (model, condition, _), rows in cells}  # the cell of most pictures
    lines = [
        (claim, seed, compare(frames[a, claim.condition], frames[b, claim.condition]))
        for claim in CLAIMS
        for seed in (0, 1, 2)
        for a, b in [(_of_seed(claim.better, seed), _of_seed(claim.worse, seed))]
        if (a, claim.condition) in frames and (b, claim.condition) in frames
    ]
    adjusted = holm([found.p for _, _, found in lines])
    yield "| effect | seed | difference, points | n | p | p (Holm) |"
    yield "|---|---:|---:|---:|---:|---:|"
    for (claim, seed, found), p_holm in zip(lines, adjusted, strict=True):
        points = f"{100 * found.difference:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
        yield f"| {claim.paper} | {seed} | {points} | {found.n} | {found.p:.2g} | {p_holm:.2g} |"


def _of_seed(model: str, seed: int) -> str:
    """`tiny_mbn@adv` of seed 1 is `tiny_mbn_s1@adv`."""
    name, at, branch = model.partition("@")
    return f"{name}_s{seed}{at}{branch}" if seed else model


def contact_sheet(split: str, each: int = 16, zoom: int = 2) -> Image.Image:
    """A row a class, `each` pictures in it."""
    batch = embedded.generate(split, min(600, len(embedded.chosen())))
    rows = [np.concatenate(list(batch.images[batch.labels == c][:each]), axis=1) for c in range(len(embedded.CLASSES))]
    sheet = Image.fromarray(np.concatenate(rows))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)


def main() -> None:
    """Replace the generated part of the page; draw the sheets again."""
    parser = argparse.ArgumentParser(prog="python -m bench.reports.embedded", description=__doc__)
    parser.add_argument("results", type=Path, help="results folder with the tiny suites")
    folder = parser.parse_args().results
    tables = [*model_table(results(folder)), "", *claim_table(records(folder))]
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(tables) + f"\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    (PAGE.parent / "img").mkdir(exist_ok=True)
    for split in ("val", "a", "stylised", "cue-conflict"):
        contact_sheet(split).save(PAGE.parent / "img" / f"embedded-{split}.png", optimize=True)


if __name__ == "__main__":
    main()
