"""`bench results` and the leaderboard on a folder of many cells: seconds, peak memory. The folder is made up first.

python benchmarks/many_cells.py [CELLS] [IMAGES]
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench
from bench.board.leaderboard import leaderboard
from bench.testing import write_results

CORRUPTED = [f"imagenet/{name}/{s}-jpeg85" for name in ("fog", "frost", "snow", "contrast") for s in range(1, 6)]


def main(cells: int = 2000, images: int = 50) -> None:
    """Make the folder, then read it."""
    os.fsync = lambda _handle: None  # the folder need not outlive a power cut
    each = len(CORRUPTED)
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        for number in range(max(2, cells // each)):
            conditions = dict.fromkeys(CORRUPTED, 0.5)
            write_results(place, f"model{number}", {"imagenet-c-live": conditions}, n=images, seed=number)
        made = len(list(Path(place).glob("cells/*")))
        print(f"{made} cells of {images} images, made in {time.perf_counter() - started:.1f} s")
        measure("bench.results", bench.results, place)
        measure("leaderboard", leaderboard, place)


def measure(name: str, function: Callable[..., Any], place: str) -> None:
    """Print what a call takes; the peak is that of the process so far."""
    started = time.process_time()
    rows = len(function(place))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {time.process_time() - started:.1f} s of CPU, {rows} rows, peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
