"""Kill a run with SIGKILL at random moments, repeat the same command, and compare with a run that nobody disturbed.

    python benchmarks/torture.py [--kills 100] [--pause 0.3] [--limit 20] [--seed 0]
    python benchmarks/torture.py --workers 2 --pause 3 --kills 20
    python benchmarks/torture.py --suite aa-fast --eps 8/255 --limit 400 --kills 8 --pause 10     # within an attack

Without `--workers` the driver is killed, at any point of planning, measuring and writing; it is forked from a process
that has imported everything, so that kills do not fall on imports. With `--workers N` the run is on a local Ray; one
kill in 25 hits the driver, the others a worker, busy or just starting. A kill falls a random time (exponential, `pause`
seconds in the mean) after a random number of new parts, none among them, so that slow machines are disturbed as well.
When a run ends before all kills are spent, the next begins in a new folder. Parts are compared byte for byte, after
every death: what is there must be whole and right, and nothing that was there may be gone.
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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def arguments(limit: int, out: Path, *suite: str) -> list[str]:
    """What is run; `suite` names another than the 75 corruptions, with its options."""
    chosen = ["--suite", *(suite or ["tiny-c"])]
    return ["run", "--model", "tiny_at", *chosen, "--limit", str(limit), "--out", str(out)]


def parts(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.parquet")}


def children(ancestor: int) -> dict[int, bytes]:
    """All processes below `ancestor`, with their titles."""
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
            if pid == ancestor:
                return True
        return False

    return {pid: text for pid, text in title.items() if below(pid)}


def warm(limit: int) -> None:
    """Import what a driver imports and make the tiny images, so that forked drivers begin with it."""
    import bench.folder.tables  # noqa: F401
    from bench.engine.run import prepare

    with tempfile.TemporaryDirectory() as nowhere:
        dataset = prepare("tiny_at", "tiny-c", limit=limit, out=nowhere).session.dataset("tiny")
    for index in range(len(dataset)):
        dataset.read(index)


def forked(given: list[str], log: Path) -> int:
    """A driver that need not import anything any more; gives its process."""
    from bench.cli import main as bench

    if process := os.fork():
        return process
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os._exit(bench(given))


def started(given: list[str], log: Path) -> int:
    """A driver as a user starts it."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "bench", *given], stdout=file, stderr=file, start_new_session=True
        ).pid


def ended(process: int) -> int | None:
    """Its exit code, minus the signal that killed it; None while it runs."""
    with suppress(ChildProcessError):
        done, status = os.waitpid(process, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if done else None
    return -signal.SIGKILL


def victim(driver: int, rng: random.Random, *, workers: bool) -> int | None:
    if not workers:
        return driver
    alive = [pid for pid, text in children(driver).items() if text.startswith(b"ray::Worker")]
    if rng.random() < (0.04 if alive else 0.005):  # it has no workers while it starts
        return driver
    return rng.choice(alive) if alive else None


def wait(driver: int, out: Path, new: int, seconds: float) -> int | None:
    """Until the driver has added `new` parts and `seconds` more have passed; its exit code if it ended before."""
    known = len(parts(out))
    while (code := ended(driver)) is None and len(parts(out)) < known + new:
        time.sleep(0.02)
    until = time.monotonic() + seconds
    while code is None and time.monotonic() < until:
        time.sleep(0.005)
        code = ended(driver)
    return code


def disturb(
    driver: int, out: Path, rng: random.Random, left: int, pause: float, *, workers: bool
) -> tuple[Counter[str], int]:
    """Kill until the driver is dead or done; what was hit, and the driver's exit code."""
    hit: Counter[str] = Counter()
    while hit.total() < left:
        if (code := wait(driver, out, rng.choice([0, 1, 1, 2]), rng.expovariate(1 / pause))) is not None:
            return hit, code
        if target := victim(driver, rng, workers=workers):
            with suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)
                hit["driver" if target == driver else "worker"] += 1
            if target == driver:
                break
    while (code := ended(driver)) is None:
        time.sleep(0.05)
    return hit, code


def torture(folder: Path, options: argparse.Namespace, start: Callable[[list[str], Path], int]) -> bool:
    limit, pause, kills = options.limit, options.pause, options.kills
    extra = ["--workers", str(options.workers)] if options.workers else []
    from bench.suites.registry import find_suite

    unchecked = ["--reliability", "0"] if "reliability" in find_suite(options.suite).uses else []
    suite = [options.suite, *unchecked, *(["--eps", options.eps] if options.eps else [])]
    rng, hit, equal, log = random.Random(options.seed), Counter[str](), True, folder / "log"
    whole = folder / "whole"
    disturb(start(arguments(limit, whole, *suite), log), whole, rng, 0, pause, workers=False)
    expected = parts(whole)
    print(f"undisturbed: {len(expected)} parts", flush=True)
    number = starts = 0
    while hit.total() < kills:
        number += 1
        out, done, kept = folder / f"cut{number}", False, {}
        while not done:
            starts += 1
            driver = start([*arguments(limit, out, *suite), *extra], log)
            struck, code = disturb(driver, out, rng, kills - hit.total(), pause, workers=bool(extra))
            done = code == 0
            hit += struck
            before, kept = kept, parts(out)
            wrong = [name for name, data in kept.items() if expected.get(name) != data] + sorted(before.keys() - kept)
            equal = equal and not wrong
            print(
                f"  start {starts} ended with {code}: {len(kept)} of {len(expected)} parts, "
                f"{len(wrong)} wrong or lost, hits so far {dict(hit)}",
                flush=True,
            )
        equal = equal and kept == expected
        print(f"folder {number}: equal byte for byte: {kept == expected}", flush=True)
    print(f"{hit.total()} kills ({dict(hit)}), {starts} starts, {number} finished runs; all records equal: {equal}")
    return equal


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--suite", default="tiny-c")
    parser.add_argument("--eps", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.3, help="mean seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not options.workers:
            warm(options.limit)
        sys.exit(not torture(Path(name), options, started if options.workers else forked))
