"""Bit-equality of results across batch size, threads, shards and workers: a table in Markdown.

    python benchmarks/determinism.py [--model tiny_at] [--limit 40] [--lite] [--from N]

Every line is a `bench run` in its own process, compared with the first. `--lite` adds EfficientNet-Lite0 on foolbox's
twenty photographs. Ray's line needs the extra `ray`.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench import records
from bench.folder.merge import merge

FLOATS = ("confidence", "margin")


UNCHECKED = ("--reliability", "0")


@dataclass(frozen=True)
class Way:
    """One setting of batch size, threads, shards or workers."""

    name: str
    options: tuple[str, ...] = ()
    threads: int = 1
    shards: int = 1


@dataclass(frozen=True)
class Job:
    """Model, suites and options of the compared runs."""

    title: str
    given: tuple[str, ...]
    batches: tuple[int, ...] = (1, 7, 64)


def ways(batches: tuple[int, ...]) -> list[Way]:
    ray = [Way("two workers on Ray", ("--workers", "2"))] if importlib.util.find_spec("ray") else []
    return [
        Way("as it is"),
        Way("again"),
        *(Way(f"batches of {n}", ("--batch-size", str(n))) for n in batches),
        Way("two threads", threads=2),
        Way("three shards, merged", shards=3),
        *ray,
    ]


def run(job: Job, way: Way, folder: Path) -> Path:
    """Run the job; returns the results folder."""
    parts = []
    for number in range(1, way.shards + 1):
        out = folder / f"part{number}"
        shard = ("--shard", f"{number}/{way.shards}") if way.shards > 1 else ()
        command = [sys.executable, "-m", "bench", "run", *job.given, *way.options, *shard]
        done = subprocess.run(
            [*command, "--out", str(out)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(way.threads), "RAY_USAGE_STATS_ENABLED": "0"},
        )
        if done.returncode:
            raise SystemExit(f"{way.name}: the run ended with {done.returncode}\n{done.stderr}")
        parts.append(out)
    if len(parts) == 1:
        return parts[0]
    merge([str(part) for part in parts], str(folder / "merged"))
    return folder / "merged"


def table(folder: Path) -> pd.DataFrame:
    """Return records by model, condition and image."""
    return records(folder).set_index(["model", "condition", "image_id"]).sort_index()


def line(way: Way, first: pd.DataFrame, other: pd.DataFrame) -> str:
    """Return one row: number of different predictions and floats, and the largest difference, relative above 1."""
    if not first.index.equals(other.index):
        raise SystemExit(f"{way.name}: the two runs have other images")
    moved = int((first["prediction"] != other["prediction"]).sum())
    cells = [f"| {way.name} | {moved} of {len(first)} "]
    for name in FLOATS:
        a, b = (frame[name].to_numpy(np.float64) for frame in (first, other))
        away = np.abs(a - b) / np.maximum(np.abs(a), 1)
        cells.append(f"| {int((a != b).sum())} | {np.nanmax(away):.1e} ")
    return "".join(cells) + "|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny_at")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--lite", action="store_true")
    parser.add_argument("--from", type=int, default=0, dest="first", help="leave so many tables out")
    options = parser.parse_args()
    own = ("--model", options.model, "--limit", str(options.limit))
    jobs = [
        Job(f"`{options.model}`, clean and 75 corruptions", (*own, "--suite", "tiny,tiny-c")),
        Job(f"`{options.model}`, PGD-20", (*own, "--suite", "tiny-pgd", *UNCHECKED)),
        Job(f"`{options.model}`, aa-fast at 8/255", (*own, "--suite", "aa-fast", "--eps", "8/255", *UNCHECKED)),
    ]
    if options.lite:
        lite = ("--model", "efficientnet_lite0", "--dataset", "sample", "--suite")
        jobs.append(Job("`efficientnet_lite0`, clean photographs", (*lite, "clean"), (1, 7)))
        jobs.append(Job("`efficientnet_lite0`, the same and under PGD-10 at 4/255", (*lite, "pgd", *UNCHECKED), (1, 7)))
    for job in jobs[options.first :]:
        first: pd.DataFrame | None = None
        print(f"\n{job.title}:\n\n| run | predictions that differ | confidences | at most | margins | at most |")
        print("|---|---:|---:|---:|---:|---:|", flush=True)
        for way in ways(job.batches):
            with tempfile.TemporaryDirectory() as scratch:
                other = table(run(job, way, Path(scratch)))
            if first is None:
                first = other
            else:
                print(line(way, first, other), flush=True)


if __name__ == "__main__":
    main()
