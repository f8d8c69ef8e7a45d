"""A made-up results folder with everything that a report shows."""

from pathlib import Path

from bench.metrics.corruption import CORRUPTIONS, SEVERITIES
from bench.testing import write_results

HOSTILE = "<script>alert(1)</script>\"'&"
LONG = "x" * 200
PGD = "imagenet/pgd-linf-eps{}_255-k10-a1_255-r1-untargeted"


def write_folder(folder: Path, *, n: int = 120) -> Path:
    """Four models: two good ones alike, a worse one with a hostile name, and one measured in one suite only."""
    for seed, (name, clean, robust, error) in enumerate(
        [("sat_resnet50", 0.8, 0.5, 0.4), ("tiny_mbn@adv", 0.79, 0.48, 0.45), (HOSTILE, 0.5, 0.1, 0.7)]
    ):
        corrupted = {f"imagenet-c/{c}/{s}": 1 - error - 0.01 * s for c in CORRUPTIONS for s in SEVERITIES}
        attacked = {PGD.format(eps): robust + (4 - eps) * 0.05 for eps in (2, 4, 8)}
        suites = {
            "imagenet": {"imagenet/clean": clean},
            "pgd": {"imagenet/clean": clean, **attacked},
            "imagenet-c": corrupted,
        }
        write_results(folder, name, suites, n=n, seed=seed)
    write_results(folder, LONG, {"imagenet": {"imagenet/clean": 0.6}}, n=n, seed=9)
    return folder
