"""Units per second that the driver stores for 64 workers with units of one second, sequentially and in parallel.

python benchmarks/writing.py [--workers 64] [--seconds 8] [--out DIR]     on the disk of DIR
python benchmarks/writing.py --wait-ms 25                                 on a disk with this much more latency
"""

import argparse
import tempfile
import time
from pathlib import Path

from bench.engine.part import Part
from bench.engine.plan import Unit
from bench.engine.work import Done, keep
from bench.engine.writers import WRITERS, Writers
from bench.record import Cell, Protocol, RecordColumns, UnitKey
from bench.store import Store
from bench.suites.base import UNIT_IMAGES, Setup


def one(number: int) -> Done:
    """Return a unit of 200 records."""
    n, start = UNIT_IMAGES, number * UNIT_IMAGES
    ids = [f"ILSVRC2012_val_{start + i:08d}" for i in range(n)]
    values = [((7 * (start + i)) % 1000) / 1000 for i in range(n)]
    table = RecordColumns(ids, [i % 1000 for i in range(n)], [i % 1000 for i in range(n)], values, values, [None] * n)
    cell = Cell("fake", "0" * 64, {}, Protocol("imagenet", "m", 50_000, "imagenet1k", "imagenet/clean", "made up"))
    return Done(Unit(Setup("imagenet"), UnitKey(start, start + n), ((0, cell),)), [Part(table.table())])


def stored(out: Path, writers: int, workers: int, seconds: float, wait: float) -> float:
    """Return the units stored per second while every worker delivers one each second."""
    store = Store(out)

    def write(done: Done) -> None:
        keep(store, done)
        time.sleep(wait)

    ready = [one(number) for number in range(int(workers * seconds))]
    queue = Writers(write, writers)
    started, count = time.perf_counter(), 0
    for number, done in enumerate(ready):
        time.sleep(max(0.0, started + number / workers - time.perf_counter()))
        queue.put(done)
        count += sum(1 for _ in queue.finished(every=False))
        if time.perf_counter() - started > seconds:
            break
    count += sum(1 for _ in queue.finished(every=True))
    return count / (time.perf_counter() - started)


def main() -> None:
    """Print both rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--wait-ms", type=float, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.out) as scratch:
        for writers in (0, WRITERS):
            found = stored(Path(scratch) / str(writers), writers, asked.workers, asked.seconds, asked.wait_ms / 1000)
            name = f"{writers} writes side by side" if writers else "one write after the other"
            print(f"{name}: {found:.1f} units a second of {asked.workers} handed in", flush=True)


if __name__ == "__main__":
    main()
