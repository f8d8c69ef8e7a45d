"""Speed of the corruptions without JPEG, compared with imagecorruptions-imaug in one run.

    python benchmarks/corruptions.py [--threads 1] [--size 224] [--repeats 5] [--all]

Ours (batches of 8) and the reference (single images) alternate; the fastest run of each counts. One thread is measured
in CPU time, which other processes disturb less, several threads in wall time. Each line has mean milliseconds per image
over the five severities, the ratio, and the smallest ratio of any severity. Then follow the sum over the 75 conditions
and the memory of a process that makes all of them once, beyond its imports.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import imagecorruptions
import numpy as np
import torch

from bench.corruptions import EXTRA, NAMES, SEVERITIES, Corruption, image_keys

BATCH = 8


def fastest(calls: Sequence[Callable[[], object]], repeats: int, clock: Callable[[], float]) -> list[float]:
    """Return milliseconds of each call, the minimum of `repeats` rounds after a warm-up."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for call, taken in zip(calls, times, strict=True):
            start = clock()
            call()
            if turn:
                taken.append(1e3 * (clock() - start))
    return [min(taken) for taken in times]


def photograph(size: int) -> np.ndarray:
    """Return a smooth image with texture [size, size, 3]; the content hardly affects speed."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 12, 12)))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")[0].permute(1, 2, 0).numpy()
    return np.clip(smooth + rng.normal(0, 8, (size, size, 3)), 0, 255).astype(np.uint8)


def pair(name: str, severity: int, image: np.ndarray) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return our call on a batch and the reference's on one image."""
    batch, keys = np.stack([image] * BATCH), image_keys(0, [str(i) for i in range(BATCH)], "speed")
    ours = Corruption(name, severity, None)
    return lambda: ours(batch, keys), lambda: imagecorruptions.corrupt(image, severity, name)


def memory(side: int, image: np.ndarray) -> float:
    """Return the MiB that the 75 conditions add to a fresh process's peak, for ours (side 0) or the reference (1)."""
    torch.set_num_threads(1)
    before = peak()
    for name in NAMES:
        for severity in SEVERITIES:
            pair(name, severity, image)[side]()
    return peak() - before


def peak() -> float:
    """Return this process's peak memory in MiB (Linux; getrusage would include the parent's peak)."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="the four held-out corruptions as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    image = photograph(options.size)
    totals = np.zeros(2)
    print(f"{'corruption':20} {'ours ms':>8} {'reference ms':>12} {'faster by':>10} {'least':>7}")
    for name in (*NAMES, *(EXTRA if options.all else ())):
        rows = [fastest(pair(name, severity, image), options.repeats, clock) for severity in SEVERITIES]
        table = np.array(rows) / (BATCH, 1)
        totals += table.sum(axis=0) if name in NAMES else 0
        ours_ms, theirs_ms = table.mean(axis=0)
        least = (table[:, 1] / table[:, 0]).min()
        print(f"{name:20} {ours_ms:8.2f} {theirs_ms:12.2f} {theirs_ms / ours_ms:9.2f}x {least:6.2f}x", flush=True)
    print(f"{'sum over 75':20} {totals[0]:8.1f} {totals[1]:12.1f} {totals[1] / totals[0]:9.2f}x")
    spawn = multiprocessing.get_context("spawn")
    for side, what in enumerate(("ours, batches of 8", "reference, one by one")):
        with spawn.Pool(1) as pool:
            print(f"memory beyond imports, {what}: {pool.apply(memory, (side, image)):.0f} MiB")


if __name__ == "__main__":
    main()
