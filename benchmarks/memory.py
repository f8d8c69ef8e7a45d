"""Memory over time in a long run, which must not grow with images or conditions.

    python benchmarks/memory.py [--images 20000] [--model tiny_at] [--every 10] [--cache-mb 8]

Runs `bench run --suite tiny-c` (75 conditions) on the requested number of tiny images in a separate process and samples
its resident memory until the last unit is stored; the final table is measured separately. Decoded images are cached up
to 1 GiB, which a long run fills once; `--cache-mb` lowers this limit, so that other growth is visible.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CONDITIONS = 75
RUN = """
import sys
from bench.datasets import tiny_set
from bench.engine.session import PictureCache
tiny_set.COUNT = int(sys.argv[1])
PictureCache.__init__.__defaults__ = (int(float(sys.argv[2]) * 2**20),)
from bench.cli import main
sys.exit(main(sys.argv[3:]))
"""


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def sample(images: int, model: str, cache: float, every: float, out: Path) -> list[tuple[float, int, float]]:
    """Return (seconds, stored parts, MB) at intervals of `every` seconds until the process ends."""
    given = ["run", "--model", model, "--suite", "tiny-c", "--out", str(out)]
    process = subprocess.Popen([sys.executable, "-c", RUN, str(images), str(cache), *given])
    started, found = time.perf_counter(), list[tuple[float, int, float]]()
    while process.poll() is None:
        time.sleep(every)
        stored = sum(1 for _ in out.rglob("*.parquet"))
        found.append((time.perf_counter() - started, stored, resident(process.pid)))
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--model", default="tiny_at")
    parser.add_argument("--every", type=float, default=10, help="seconds between two samples")
    parser.add_argument("--cache-mb", type=float, default=1024, help="decoded images kept, at most")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = sample(options.images, options.model, options.cache_mb, options.every, Path(scratch) / "results")
    total = max(stored for _, stored, _ in found)
    running = np.array([row for row in found if 0 < row[1] < total])
    print(f"{options.images} images x {CONDITIONS} conditions, {total} parts, {found[-1][0]:.0f} s")
    for quarter in np.array_split(running, 8):
        share = 100 * quarter[:, 1].mean() / total
        print(f"  {share:5.1f} % stored: {quarter[:, 2].mean():6.0f} MB, at most {quarter[:, 2].max():.0f}")
    later = running[len(running) // 8 :]
    slope = np.polyfit(later[:, 1] / total, later[:, 2], 1)[0]
    print(f"  slope after the first eighth: {slope:+.1f} MB over the whole run")
    print(f"  the closing table: at most {max(mb for _, stored, mb in found if stored == total):.0f} MB")


if __name__ == "__main__":
    main()
