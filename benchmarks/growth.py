"""CPU time and peak memory of commands on synthetic results folders of growing size, each in a separate process.

python benchmarks/growth.py cells 200000 [--images 50]      a folder with this many cells (79 conditions per model)
python benchmarks/growth.py models 1,2,4 [--images 50000]   this many models under 76 conditions, units of 200 images
                                         [--commands results,leaderboard,compare,report] [--keep DIR]
"""

import argparse
import functools
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from bench.condition import Condition
from bench.manifest import RunEntry, RunManifest, RunModel, put_manifest
from bench.metrics.corruption import CORRUPTIONS, SEVERITIES
from bench.record import Cell, Protocol, RecordColumns, digest
from bench.store import Store
from bench.suites.base import UNIT_IMAGES

CORRUPTED = [f"imagenet/{name}/{s}-jpeg85" for name in CORRUPTIONS for s in SEVERITIES]
CLEAN = "imagenet/clean"
PGD = [f"imagenet/pgd-linf-eps{eps}_255-k10-a1_255-r1-untargeted" for eps in (1, 2, 4)]
VARIANTS = 8
"""Number of different record files of a unit; cells share them, so that a folder takes only minutes."""


@functools.cache
def part(folder: Path, start: int, stop: int, variant: int) -> Path:
    """Write a unit's records, of which higher variants have more correct, under their name in a cell."""
    rng = np.random.default_rng([start, variant])
    ids, labels = [f"ILSVRC2012_val_{i:08d}" for i in range(start, stop)], [i % 1000 for i in range(start, stop)]
    right = rng.uniform(size=len(ids)) < 0.4 + 0.05 * variant
    confidence = rng.uniform(0.2, 1, len(ids)).astype(np.float32)
    content = {"content": [hashlib.sha256(name.encode()).hexdigest()[:16] for name in ids]}
    predictions = [label if hit else (label + 1) % 1000 for label, hit in zip(labels, right, strict=True)]
    margin = np.where(right, confidence, -confidence).tolist()
    columns = RecordColumns(ids, labels, predictions, confidence.tolist(), margin, [None] * len(ids), content)
    buffer = io.BytesIO()
    pq.write_table(columns.table(), buffer, compression="zstd")
    data = buffer.getvalue()
    path = folder / "made" / f"{start:08d}-{stop:08d}.{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def write_model(folder: Path, number: int, suites: dict[str, list[str]], images: int) -> int:
    """Write a model's cells and run like `bench run`; returns the number of parts."""
    model, entries, parts = f"model_{number:05d}", list[RunEntry](), 0
    made: set[str] = set()
    for suite, conditions in suites.items():
        for place, condition in enumerate(conditions):
            protocol = Protocol(Condition.parse(condition).dataset, "m", images, "imagenet1k", condition, "made up")
            cell = Cell(model, digest(model, 64), {"size": 224}, protocol)
            entries.append(RunEntry(suite, model, condition, cell.id, images, UNIT_IMAGES))
            if cell.id in made:
                continue
            made.add(cell.id)
            into = f"{folder}/cells/{cell.id}"
            os.mkdir(into)  # noqa: PTH102  # pathlib would take half the time
            handle = os.open(f"{into}/cell.json", os.O_WRONLY | os.O_CREAT, 0o666)
            os.write(handle, cell.to_json().encode())
            os.close(handle)
            for start in range(0, images, UNIT_IMAGES):
                variant = (number + place + start // UNIT_IMAGES) % VARIANTS
                blob = part(folder, start, min(start + UNIT_IMAGES, images), variant)
                os.link(blob, f"{into}/{blob.name}")  # takes no space
                parts += 1
    about = RunModel(digest(model, 64), "standard", "fake", 1000, {"size": 224})
    given = {"models": [model], "suites": list(suites)}
    put_manifest(Store(folder), RunManifest({model: about}, tuple(entries), dict.fromkeys(suites, 1), given))
    return parts


def measure(command: list[str]) -> tuple[float, float]:
    """Return CPU seconds and peak MiB of a `bench` command in a separate process."""
    started = subprocess.Popen([sys.executable, "-m", "bench", *command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise SystemExit(f"bench {' '.join(command)}: exit code {started.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def commands(folder: Path, wanted: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands by name."""
    two = ["model_00000", "model_00001"]
    known = {"results": [], "leaderboard": [], "compare": two, "report": []}
    for name in wanted:
        last = ["--out", str(folder.parent / "site")] if name == "report" else []
        yield name, [name, *known[name], str(folder), *last]


def main() -> None:
    """Make each folder and run the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("cells", "models"))
    parser.add_argument("sizes", help="one size, or several at commas")
    parser.add_argument("--images", type=int)
    parser.add_argument("--commands", default="results,leaderboard")
    parser.add_argument("--keep", type=Path, help="make the folders here, and leave them")
    asked = parser.parse_args()
    os.fsync = lambda _handle: None  # type: ignore[assignment]  # the folders need not outlive a power cut
    many = asked.kind == "cells"
    suites = {"imagenet": [CLEAN], "imagenet-c-live": [CLEAN, *CORRUPTED]} | ({"pgd": [CLEAN, *PGD]} if many else {})
    each = len({name for names in suites.values() for name in names})
    images = asked.images or (50 if many else 50_000)
    for size in map(int, asked.sizes.split(",")):
        with tempfile.TemporaryDirectory() as scratch:
            folder = (asked.keep or Path(scratch)) / f"{asked.kind}-{size}"
            models, started = max(2, size // each) if many else size, time.process_time()
            if not folder.exists():
                (folder / "cells").mkdir(parents=True)
                parts = sum(write_model(folder, number, suites, images) for number in range(models))
                spent = time.process_time() - started
                print(
                    f"{models} models, {models * each} cells, {parts} parts, made in {spent:.0f} s of CPU", flush=True
                )
            for name, command in commands(folder, asked.commands.split(",")):
                cpu, peak = measure(command)
                print(
                    f"  {name}: {cpu:.1f} s of CPU, {1000 * cpu / models / each:.3f} ms a cell, peak {peak:.0f} MiB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
