"""Images per second that the harness can deliver to a GPU, and the reader threads needed for a given rate.

python benchmarks/feeding.py limit [--images 20000]     limit by records and bookkeeping, with small decoded images
python benchmarks/feeding.py readers --rate 3000        simulated GPU of this rate in images per second; decoding takes
                                    [--decode-ms 2.5]  this long per image, slept, as if on other cores
python benchmarks/feeding.py decode --data DIR          images of DIR that one thread decodes per second
"""

import argparse
import cProfile
import pstats
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bench.datasets.base import Dataset
from bench.datasets.content import Loaded
from bench.datasets.preprocess import prepare
from bench.datasets.table import DataRoots
from bench.engine.execute import execute
from bench.engine.pictures import Viewed
from bench.engine.plan import Unit
from bench.engine.session import Session, Subject
from bench.engine.work import Done, keep
from bench.record import Cell, Protocol, UnitKey
from bench.store import Store
from bench.suites.base import UNIT_IMAGES, Setup
from bench.testing import fake_model

SIZE = 8
"""Side of an image in pixels; small, so that copying does not count."""


class Pretend(Dataset):
    """Data set whose images take `seconds` to decode."""

    name, labels, as_stored = "pretend", "imagenet1k", True

    def __init__(self, count: int, seconds: float = 0.0) -> None:
        super().__init__([f"ILSVRC2012_val_{i:08d}" for i in range(count)], [i % 1000 for i in range(count)])
        self.seconds, self.picture = seconds, Image.new("RGB", (SIZE, SIZE))

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


class PretendGpu(nn.Module):
    """Model that takes 1 / `rate` seconds per image (rate 0: no time)."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate, self.logits = rate, torch.randn(UNIT_IMAGES, 1000)

    def forward(self, images: Tensor) -> Tensor:
        """Return constant logits, float32 [n, 1000]."""
        if self.rate:
            time.sleep(len(images) / self.rate)
        return self.logits[: len(images)]


def measured(dataset: Pretend, rate: float, readers: int, out: Path) -> float:
    """Return images per second, for complete stored units."""
    session = Session(DataRoots({}), batch_size=UNIT_IMAGES, readers=readers)
    session._datasets["pretend", "", False] = dataset
    model = fake_model(size=SIZE)
    model.net = PretendGpu(rate)
    subject = Subject.of(model, "canonical")
    protocol = Protocol("pretend", "pretend", len(dataset), "imagenet1k", "pretend/clean", "made up")
    cell = Cell("fake", subject.fingerprint, {}, protocol)
    store, setup = Store(out), Setup("pretend")
    if not dataset.seconds:  # decoded before the run
        for i in range(len(dataset)):
            view = {subject.spec: np.zeros((SIZE, SIZE, 3), np.uint8)}
            session.cache.put((dataset.shelf, i), Viewed(view, f"{i:016x}"))
    started = time.perf_counter()
    for start in range(0, len(dataset), UNIT_IMAGES):
        unit = Unit(setup, UnitKey(start, min(start + UNIT_IMAGES, len(dataset))), ((0, cell),))
        keep(store, Done(unit, execute(session, [subject], unit)))
    return len(dataset) / (time.perf_counter() - started)


def limit(images: int, out: Path) -> None:
    """Print the harness's limit in CPU time, and its parts."""
    dataset = Pretend(images)
    measured(Pretend(2000), 0, 2, out / "warm")
    started = time.process_time()
    wall = measured(dataset, 0, 2, out / "timed")
    rate = images / (time.process_time() - started)
    print(f"records and bookkeeping: {rate:,.0f} images a second of CPU, {wall:,.0f} of time")
    profile = cProfile.Profile()
    profile.runcall(measured, dataset, 0, 2, out / "profiled")
    pstats.Stats(profile).sort_stats("tottime").print_stats(18)


def readers_needed(rate: float, decode: float, images: int, out: Path) -> None:
    """Print the rate for increasing numbers of readers, until the simulated GPU is the limit."""
    for readers in (4, 8, 16, 32, 64):
        found = measured(Pretend(images, decode), rate, readers, out / str(readers))
        print(f"{readers:3d} readers of {1 / decode:,.0f} images a second: {found:,.0f} of {rate:,.0f}", flush=True)
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
    parser.add_argument("--rate", type=float, default=3000)
    parser.add_argument("--decode-ms", type=float, default=2.5)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        if asked.what == "limit":
            limit(asked.images, Path(scratch))
        elif asked.what == "decode":
            decode_rate(asked.data)
        else:
            readers_needed(asked.rate, asked.decode_ms / 1000, asked.images, Path(scratch))


if __name__ == "__main__":
    main()
