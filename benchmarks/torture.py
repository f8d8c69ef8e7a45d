"""Kill workers and driver of a Ray run with SIGKILL at random moments, repeat the same command, compare the records.

    python benchmarks/torture.py [--kills 100] [--workers 2] [--limit 200] [--seed 0] [--pause 6]

One kill in 25 hits the driver, the others a worker, busy or just starting. When a run ends before all kills are
spent, the next begins in a new folder; at the end every folder's records are compared, byte for byte, with those of a
run in one process that nobody disturbed.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path


def command(limit: int, out: Path) -> list[str]:
    return [sys.executable, "-m", "bench", "run", "--model", "tiny_at", "--suite", "tiny-c",
            "--limit", str(limit), "--out", str(out)]  # fmt: skip


def parts(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.parquet")}


def workers_of(driver: int) -> list[int]:
    """Processes of Ray actors below `driver`."""
    parent, title = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                title[int(folder.name)] = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            parent[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])

    def below(pid: int) -> bool:
        while pid in parent:
            pid = parent[pid]
            if pid == driver:
                return True
        return False

    return [pid for pid, text in title.items() if text.startswith(b"ray::Worker") and below(pid)]


def disturb(driver: subprocess.Popen[bytes], rng: random.Random, left: int, pause: float) -> Counter[str]:
    """Kill until the driver is dead or done; what was hit."""
    hit: Counter[str] = Counter()
    while driver.poll() is None and hit.total() < left:
        time.sleep(rng.expovariate(1 / pause))
        victims = workers_of(driver.pid)
        if rng.random() < 0.04:
            driver.kill()
            hit["driver"] += 1
        elif victims:
            try:
                os.kill(rng.choice(victims), signal.SIGKILL)
                hit["worker"] += 1
            except ProcessLookupError:
                pass
    driver.wait()
    return hit


def main(kills: int, workers: int, limit: int, seed: int, pause: float) -> int:
    rng, hit, folders = random.Random(seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        whole = Path(folder) / "whole"
        subprocess.run(command(limit, whole), check=True, stdout=log, stderr=log)
        expected = parts(whole)
        print(f"undisturbed: {len(expected)} parts", flush=True)
        equal = True
        while hit.total() < kills:
            folders += 1
            out, starts, code = Path(folder) / f"cut{folders}", 0, None
            while code != 0 and starts < 500:
                starts += 1
                driver = subprocess.Popen(
                    [*command(limit, out), "--workers", str(workers)], stdout=log, stderr=log, start_new_session=True
                )
                hit += disturb(driver, rng, kills - hit.total(), pause)
                code = driver.returncode
                kept = parts(out)
                print(f"  start {starts} ended with {code}: {len(kept)} of {len(expected)} parts, hit {dict(hit)}",
                      flush=True)  # fmt: skip
                lost = [name for name, data in kept.items() if expected.get(name) != data]
                equal = equal and not lost
            equal = equal and kept == expected
            print(f"folder {folders}: {starts} starts, records equal byte for byte: {kept == expected}", flush=True)
        print(f"{hit.total()} kills ({dict(hit)}), {folders} folders, all equal: {equal}")
    return 0 if equal else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=6.0, help="mean seconds between kills, exponentially spread")
    sys.exit(main(**vars(parser.parse_args())))
