"""Kill `bench run` with SIGKILL repeatedly, repeat the command, and compare with an uninterrupted run.

    python benchmarks/kill_and_continue.py DIR [KILLS] [MODEL]

Prints for every start how many units were left, and that each kill lost at most the current unit. At the end, the
records of both runs are compared byte by byte.
"""

import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(data: str, model: str, out: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--model",
        model,
        "--suite",
        "imagenet,imagenet-c-live,pgd",
        "--data",
        data,
        "--limit",
        "20",
        "--steps",
        "3",
        "--out",
        str(out),
    ]


def parts(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.parquet")}


def start(data: str, model: str, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(data, model, out), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
    )


def units_to_do(process: subprocess.Popen[str]) -> int:
    """Wait until the run prints the number of units left, and return it."""
    assert process.stdout
    for line in process.stdout:
        if match := re.search(r"(\d+) units to do", line):
            return int(match[1])
    raise SystemExit(f"the run ended early with code {process.wait()}")


def main(data: str, kills: int, model: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole", Path(folder) / "cut"
        process = start(data, model, whole)
        total = units_to_do(process)
        started = time.monotonic()
        process.communicate()
        undisturbed = time.monotonic() - started
        print(f"undisturbed: {total} units, exit {process.returncode}, {undisturbed:.0f} s")
        rng = random.Random(0)
        for kill in range(1, kills + 1):
            process = start(data, model, cut)
            left = units_to_do(process)
            kept = set(parts(cut))
            time.sleep(rng.uniform(0.2, 1.5 * undisturbed / kills))
            process.send_signal(signal.SIGKILL)
            process.wait()
            print(f"kill {kill}: began with {left} units to do, {len(parts(cut)) - len(kept)} more finished")
            assert kept <= set(parts(cut)), "a finished unit was lost"
            assert left == total - len(kept), "a finished unit was to be done again"
        process = start(data, model, cut)
        print(f"last start: {units_to_do(process)} units to do")
        process.communicate()
        print(f"exit {process.returncode}; records equal byte for byte: {parts(cut) == parts(whole)}")


if __name__ == "__main__":
    main(
        sys.argv[1],
        int(sys.argv[2]) if len(sys.argv) > 2 else 8,
        sys.argv[3] if len(sys.argv) > 3 else "efficientnet_lite0",
    )
