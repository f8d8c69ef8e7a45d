"""Kill a run with SIGKILL at random times, repeat the command, and compare with an uninterrupted run.

    python benchmarks/torture.py [--kills 100] [--pause 0.3] [--limit 20] [--seed 0]
    python benchmarks/torture.py --workers 2 --pause 3 --kills 20
    python benchmarks/torture.py --suite aa-fast --eps 8/255 --limit 400 --kills 8 --pause 10     # within an attack

Without `--workers`, the driver is killed during planning, measuring and writing; it is forked from a process that has
imported everything, so that no kill hits an import. With `--workers N`, the run uses a local Ray; one kill in 25 hits
the driver, the others a busy or starting worker. A kill comes a random time (exponential, mean `pause` seconds) after a
random number of new parts, possibly zero, so that slow machines are covered too. If a run ends before all kills are
made, the next starts in a new folder. After every kill, parts are compared byte by byte: existing ones must be complete
and correct, and none may be lost.
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
    """Return the run's arguments; `suite` is another suite than the 75 corruptions, with its options."""
    chosen = ["--suite", *(suite or ["tiny-c"])]
    return ["run", "--model", "tiny_at", *chosen, "--limit", str(limit), "--out", str(out)]


def parts(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.parquet")}


def children(ancestor: int) -> dict[int, bytes]:
    """Return all descendants of the process `ancestor`, with their titles."""
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
    """Import everything that a driver needs and make the tiny images, before forking."""
    import bench.folder.tables  # noqa: F401
    from bench.engine.run import prepare

    with tempfile.TemporaryDirectory() as nowhere:
        dataset = prepare("tiny_at", "tiny-c", limit=limit, out=nowhere).session.dataset("tiny")
    for index in range(len(dataset)):
        dataset.read(index)


def forked(given: list[str], log: Path) -> int:
    """Fork a driver that has all imports; returns its process id."""
    from bench.cli import main as bench

    if process := os.fork():
        return process
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os._exit(bench(given))


def started(given: list[str], log: Path) -> int:
    """Start a driver like a user; returns its process id."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "bench", *given], stdout=file, stderr=file, start_new_session=True
        ).pid


def ended(process: int) -> int | None:
    """Return the process's exit code, negative for a signal; None while it runs."""
    with suppress(ChildProcessError):
        done, status = os.waitpid(process, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if done else None
    return -signal.SIGKILL


def victim(driver: int, rng: random.Random, *, workers: bool) -> int | None:
    if not workers:
        return driver
    alive = [pid for pid, text in children(driver).items() if text.startswith(b"ray::Worker")]
    if rng.random() < (0.04 if alive else 0.005):  # no workers exist during the start
        return driver
    return rng.choice(alive) if alive else None


def wait(driver: int, out: Path, new: int, seconds: float) -> int | None:
    """Wait until the driver has added `new` parts and `seconds` have passed; returns its exit code if it ended."""
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
    """Kill until the driver is dead or finished; returns counts of kills by target, and the driver's exit code."""
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
