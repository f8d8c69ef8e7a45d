"""Images per second that the harness can deliver to a GPU, and the reader threads needed for a given rate.

python benchmarks/feeding.py limit [--size 8|224]       limit by records and bookkeeping, with decoded images of this
                                   [--images 20000]     side in pixels (default 8: copying them does not count)
python benchmarks/feeding.py readers --rate 3000        simulated GPU of this rate in images per second; decoding takes
                                    [--decode-ms 2.5]  this long per image, slept, as if on other cores; 224 px
python benchmarks/feeding.py decode --data DIR          images of DIR that one thread decodes per second
"""

import argparse
import cProfile
import functools
import pstats
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.datasets.base import Dataset, Picture
from bench.datasets.content import Loaded
from bench.datasets.preprocess import prepare
from bench.datasets.table import DataRoots
from bench.engine.pictures import Viewed
from bench.engine.plan import Unit
from bench.engine.session import Session, Subject
from bench.engine.work import Done, WorkQueue, in_process, keep
from bench.record import Cell, Protocol, UnitKey
from bench.store import Store
from bench.suites.base import UNIT_IMAGES, Setup
from bench.testing import fake_model
from model_zoo.model import Model


class Pretend(Dataset):
    """Data set whose images of `size` pixels take `seconds` to decode."""

    name, labels, as_stored = "pretend", "imagenet1k", True

    def __init__(self, count: int, size: int, seconds: float = 0.0) -> None:
        super().__init__([f"ILSVRC2012_val_{i:08d}" for i in range(count)], [i % 1000 for i in range(count)])
        self.size, self.seconds, self.picture = size, seconds, Image.new("RGB", (size, size))

    def content(self) -> list[tuple[object, ...]]:
        """Return no content: all such sets are equal."""
        return []

    def read(self, _index: int) -> Image.Image:
        """Return the only image."""
        time.sleep(self.seconds)
        return self.picture

    def load(self, index: int) -> Loaded:
        """Load like a file, whose bytes are hashed while they are read."""
        return Loaded(self.read(index), f"{index:016x}")


class PretendGpu(Model):
    """Model that takes 1 / `rate` seconds per image (rate 0: no time), everything that a GPU does included."""

    def __init__(self, size: int, rate: float = 0.0) -> None:
        made = fake_model(size=size)
        super().__init__(made.net, made.card)
        self.rate, self.logits = rate, torch.randn(UNIT_IMAGES, 1000)

    def forward(self, images: Tensor) -> Tensor:
        """Return constant logits, float32 [n, 1000]."""
        if self.rate:
            time.sleep(len(images) / self.rate)
        return self.logits[: len(images)]


def to_gpu(pictures: Picture, _device: object = None) -> Tensor:
    """Copy the levels into memory that stays, as to a GPU, which converts them itself."""
    shown = torch.from_numpy(pictures)
    return _memory(shown.shape[1])[: len(shown)].copy_(shown)


@functools.cache
def _memory(size: int) -> Tensor:
    return torch.empty(UNIT_IMAGES, size, size, 3, dtype=torch.uint8)


def measured(dataset: Pretend, rate: float, readers: int, out: Path) -> float:
    """Return images per second, for complete stored units."""
    session = Session(DataRoots({}), batch_size=256, readers=readers)  # the batch on a GPU
    session._datasets["pretend", "", False] = dataset
    subject = Subject.of(PretendGpu(dataset.size, rate), "canonical")
    protocol = Protocol("pretend", "pretend", len(dataset), "imagenet1k", "pretend/clean", "made up")
    cell = Cell("fake", subject.fingerprint, {}, protocol)
    store, setup = Store(out), Setup("pretend")
    if not dataset.seconds:  # decoded before the run
        view = {subject.spec: np.zeros((dataset.size, dataset.size, 3), np.uint8)}
        for i in range(len(dataset)):
            session.cache.put((dataset.shelf, i), Viewed(view, f"{i:016x}"))
    keys = [UnitKey(i, min(i + UNIT_IMAGES, len(dataset))) for i in range(0, len(dataset), UNIT_IMAGES)]
    queue = WorkQueue(Unit(setup, key, ((0, cell),)) for key in keys)
    started = time.perf_counter()
    with patch("bench.engine.batches.to_images", to_gpu):
        for done in in_process(session, [subject], queue):
            if not isinstance(done, Done):
                raise SystemExit(str(done))
            keep(store, done)
    return len(dataset) / (time.perf_counter() - started)


def limit(images: int, size: int, out: Path) -> None:
    """Print the harness's limit in CPU time, and its parts."""
    dataset = Pretend(images, size)
    measured(Pretend(2000, size), 0, 2, out / "warm")
    started = time.process_time()
    wall = measured(dataset, 0, 2, out / "timed")
    rate = images / (time.process_time() - started)
    print(f"records and bookkeeping: {rate:,.0f} images a second of CPU, {wall:,.0f} of time")
    profile = cProfile.Profile()
    profile.runcall(measured, dataset, 0, 2, out / "profiled")
    pstats.Stats(profile).sort_stats("tottime").print_stats(18)


def readers_needed(rate: float, decode: float, images: int, out: Path) -> None:
    """Print the rate for increasing numbers of readers, until the simulated GPU is the limit."""
    measured(Pretend(UNIT_IMAGES, 224), 0, 2, out / "warm")
    for readers in (4, 8, 16, 32, 64):
        cpu = time.process_time()
        found = measured(Pretend(images, 224, decode), rate, readers, out / str(readers))
        each = 1e6 * (time.process_time() - cpu) / images
        told = f"{readers:3d} readers of {1 / decode:,.0f} images a second: {found:,.0f} of {rate:,.0f}"
        print(f"{told}; {each:.0f} us of CPU an image", flush=True)
        if found > 0.95 * rate:
            break


def decode_rate(data: Path) -> None:
    """Print the rate at which one thread decodes a folder's images."""
    files = [path for path in sorted(data.rglob("*")) if path.suffix.lower() in (".jpeg", ".jpg")][:200]
    spec = fake_model(size=224).input
    started = time.process_time()
    for path in files:
        with Image.open(path) as image:
            prepare(image.convert("RGB"), spec)
    each = (time.process_time() - started) / len(files)
    print(f"{len(files)} images: {1000 * each:.2f} ms each, {1 / each:,.0f} a second of CPU in one thread")


def main() -> None:
    """Run the requested measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("limit", "readers", "decode"))
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3000)
    parser.add_argument("--decode-ms", type=float, default=2.5)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        if asked.what == "limit":
            limit(asked.images, asked.size, Path(scratch))
        elif asked.what == "decode":
            decode_rate(asked.data)
        else:
            readers_needed(asked.rate, asked.decode_ms / 1000, asked.images, Path(scratch))


if __name__ == "__main__":
    main()
