"""Speed of the corruptions alone, before JPEG, against imagecorruptions-imaug, side by side in one run.

    python benchmarks/corruptions.py [--threads 1] [--size 224] [--repeats 3] [--all]

One thread is measured in CPU time, which a busy machine disturbs less; more in time that passes. Each line: mean
milliseconds an image over the five severities (ours on a batch of 8, the reference one at a time),
the ratio, and the slowest ratio of a single severity. The last line sums the 75 conditions.
"""

import argparse
import resource
import time
from collections.abc import Callable

import cv2
import imagecorruptions
import numpy as np
import torch

from bench.datasets.corruptions import EXTRA, NAMES, SEVERITIES, Corruption, image_keys

BATCH = 8


def milliseconds(call: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    """The fastest of `repeats` calls, after one that fills caches."""
    call()
    times = []
    for _ in range(repeats):
        start = clock()
        call()
        times.append(clock() - start)
    return 1e3 * min(times)


def photograph(size: int) -> np.ndarray:
    """A smooth picture with texture [size, size, 3]; speed depends little on what it shows."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 12, 12)))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")[0].permute(1, 2, 0).numpy()
    return np.clip(smooth + rng.normal(0, 8, (size, size, 3)), 0, 255).astype(np.uint8)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="the four held-out corruptions as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    image = photograph(options.size)
    batch = np.stack([image] * BATCH)
    keys = image_keys(0, [str(i) for i in range(BATCH)], "speed")
    totals = np.zeros(2)
    print(f"{'corruption':20} {'ours ms':>8} {'reference ms':>12} {'faster by':>10} {'least':>7}")
    for name in (*NAMES, *(EXTRA if options.all else ())):
        rows = []
        for severity in SEVERITIES:
            ours = Corruption(name, severity, None)
            rows.append((
                milliseconds(lambda ours=ours: ours(batch, keys), options.repeats, clock) / BATCH,
                milliseconds(
                    lambda name=name, severity=severity: imagecorruptions.corrupt(image, severity, name),
                    options.repeats,
                    clock,
                ),
            ))  # fmt: skip
        table = np.array(rows)
        totals += table.sum(axis=0) if name in NAMES else 0
        ours_ms, theirs_ms = table.mean(axis=0)
        least = (table[:, 1] / table[:, 0]).min()
        print(f"{name:20} {ours_ms:8.2f} {theirs_ms:12.2f} {theirs_ms / ours_ms:9.1f}x {least:6.1f}x", flush=True)
    print(f"{'sum over 75':20} {totals[0]:8.1f} {totals[1]:12.1f} {totals[1] / totals[0]:9.1f}x")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
