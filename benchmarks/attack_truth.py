"""Reported robust accuracy compared with the true one, for models of exactly known robustness, through `bench.run`.

    python benchmarks/attack_truth.py --limit 200 --reference
    python benchmarks/attack_truth.py --suites pgd,autoattack --norms linf --reference

Prints a table: model, suite, norm, true, ours, pyautoattack's (with --reference), verdict. `--into docs/attacks.md`
inserts it between the two comments there.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import bench
from bench.attacks.budget import Norm
from bench.datasets.base import Dataset
from bench.datasets.table import open_dataset, parse_roots
from bench.testing import AffineHead, HiddenGradients, PiecewiseConstant, nearest_mean, truth_model
from tools.pages import between

EPS: dict[Norm, Fraction] = {"linf": Fraction(4, 255), "l2": Fraction(1, 2), "l1": Fraction(12)}
SUITES = ("pgd", "apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square", "autoattack", "aa-fast")
NO_L1 = ("pgd",)

BEGIN, END = "<!-- truth: attack_truth.py writes what follows -->", "<!-- truth: end -->"


@dataclass(frozen=True)
class TruthRow:
    """One number with the true one; `sound` says that no robust image was counted as broken."""

    model: str
    suite: str
    norm: Norm
    true: float
    ours: float
    reference: float | None
    verdict: str
    sound: bool

    def __str__(self) -> str:
        theirs = "" if self.reference is None else f"{100 * self.reference:.1f} %"
        unsound = "" if self.sound else " (breaks what cannot be broken)"
        return (
            f"| {self.model} | {self.suite} | {self.norm} | {100 * self.true:.1f} % | {100 * self.ours:.1f} %{unsound} "
            f"| {theirs} | {self.verdict} |"
        )


def pictures(dataset: Dataset, count: int) -> tuple[Tensor, Tensor]:
    """Return the first images [n, 3, h, w] of a set in [0, 1], and their labels [n]."""
    images = [torch.from_numpy(np.array(dataset.read(i))).permute(2, 0, 1).float() / 255 for i in range(count)]
    return torch.stack(images), torch.tensor([dataset.targets[i] for i in range(count)])


def heads(images: Tensor, labels: Tensor) -> dict[str, AffineHead]:
    """Return the models: an affine head, alone, with quantised input, and with half of its gradient hidden."""
    plain = nearest_mean(images, labels, 10)
    seen = torch.zeros(images.shape[1:], dtype=torch.bool)
    seen[:, :, : images.shape[3] // 2] = True
    return {
        "affine": plain,
        "piecewise": PiecewiseConstant(plain.weight, plain.bias),
        "hidden": HiddenGradients(plain.weight, plain.bias, seen),
    }


def compare(
    name: str, head: AffineHead, suite: str, norm: Norm, *, limit: int, reference: bool = False, reliability: int = 32
) -> TruthRow:
    """Run one suite on one head and compare every record with the truth."""
    found = {}
    for engine in ("native", "reference") if reference and suite == "autoattack" else ("native",):
        with tempfile.TemporaryDirectory() as folder:
            options = {"norm": norm, "eps": EPS[norm], "limit": limit, "out": Path(folder), "quiet": True}
            more = {"attack_engine": engine} if engine == "reference" else {}
            table = bench.run(truth_model(head, name), suite, reliability=reliability, **options, **more)
            found[engine] = table, bench.records(folder)
    table, records = found["native"]
    records = records[records["condition"].str.contains("-eps")]
    dataset = open_dataset("tiny", parse_roots(None, None), "")
    places = [dataset.ids.index(image_id) for image_id in records["image_id"]]
    images = torch.stack([torch.from_numpy(np.array(dataset.read(i))).permute(2, 0, 1).float() / 255 for i in places])
    worst = head.worst_lead(images, torch.tensor([dataset.targets[i] for i in places]), norm, float(EPS[norm]))
    stands = torch.tensor((records["prediction"] == records["label"]).to_numpy())
    return TruthRow(
        name,
        suite,
        norm,
        float((worst > 0).double().mean()),
        headline(table)["value"],
        headline(found["reference"][0])["value"] if "reference" in found else None,
        headline(table)["reliability"],
        bool(stands[worst > 1e-4].all()),
    )


def headline(table: pd.DataFrame) -> pd.Series:
    """Return the row of the suite's headline number."""
    return table[table["metric"] == "robust_accuracy"].iloc[0]


def rows(options: argparse.Namespace) -> Iterator[TruthRow]:
    """Yield the row of every requested model, suite and norm."""
    family = heads(*pictures(open_dataset("tiny", parse_roots(None, None), ""), 400))
    for name in options.models.split(","):
        for norm in options.norms.split(","):
            if name == "piecewise" and norm != "linf":
                continue
            for suite in options.suites.split(","):
                if norm == "l1" and suite in NO_L1:
                    continue
                yield compare(name, family[name], suite, norm, limit=options.limit, reference=options.reference)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="affine,piecewise,hidden")
    parser.add_argument("--suites", default=",".join(SUITES))
    parser.add_argument("--norms", default="linf,l2")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--into", type=Path, help="a page that has the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| model | suite | norm | true | ours | pyautoattack | verdict |", "|---|---|---|---:|---:|---:|---|"]
    print("\n".join(lines))
    for row in rows(options):
        print(row, flush=True)
        lines.append(str(row))
    if options.into:
        page = between(options.into.read_text(encoding="utf-8"), BEGIN, lines, END)
        options.into.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
