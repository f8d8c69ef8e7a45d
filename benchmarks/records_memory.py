"""Memory of `bench.records` for one model's records under the 75 conditions of ImageNet-C.

python benchmarks/records_memory.py [--images 50000]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from growth import CORRUPTED, write_model

import bench


def main() -> None:
    """Write synthetic records, read them, and print rows, bytes, time and the process's peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cells").mkdir()
        write_model(Path(folder), 0, {"imagenet-c-live": CORRUPTED}, images)
        began = time.process_time()
        frame = bench.records(folder)
        seconds = time.process_time() - began
    size, peak = frame.memory_usage(deep=True).sum(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{len(frame):,} rows, {size / 1e6:.0f} MB, {seconds:.1f} s of CPU, at most {peak / 1e9:.2f} GB at once")


if __name__ == "__main__":
    main()
