"""Images per second of `bench run`, clean or with live ImageNet-C, compared with commonly used loops.

    OMP_NUM_THREADS=1 python benchmarks/throughput.py DIR [--rounds 5] [--images 64] [--copies 1] [--threads 1]
    OMP_NUM_THREADS=1 python benchmarks/throughput.py DIR --live [--rounds 3] [--images 4]       76 conditions

DIR has folders of images by wnid. With `--copies N` the set holds each image N times, so that the start counts less;
`--only TEXT` leaves out the loops without TEXT in their name. All use the same images, model (EfficientNet-Lite0) and
batch size, in turn, each in a process of its own (`bench run` settles the memory of its process) that has run it once
before; a ratio is the other's time over ours in the same round, the median over rounds.
Loaders decode in `--threads` processes, the network uses `--threads` threads.

- a bare loop: decode, resize, corrupt (`imagecorruptions`, then JPEG as ImageNet-C is saved), forward
- timm's validate.py with its defaults: its own `create_loader`, loss, top-1 and top-5
- RobustBench: a DataLoader into memory, then its `clean_accuracy` (the package's where it is installed)

The first two are measured with default and channels-last layout, between which `bench run` chooses itself.
"""

import argparse
import functools
import io
import math
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from timm.data import create_dataset, create_loader
from timm.utils import AverageMeter, accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

from bench.corruptions import SEVERITIES
from bench.engine.run import carry_out, prepare
from bench.metrics.corruption import CORRUPTIONS
from model_zoo import load_model
from model_zoo.model import Model

BATCH = 32
CROP = T.Compose([T.Resize(256, InterpolationMode.BICUBIC), T.CenterCrop(224)])


class Folder(Dataset[tuple[Tensor, int]]):
    """Crops for a DataLoader."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        names = sorted({file.parent.name for file in files})
        self.labels = [names.index(file.parent.name) for file in files]

    def __len__(self) -> int:
        return len(self.files)

    def crop(self, index: int) -> Image.Image:
        """Return the cropped image of 224 pixels."""
        with Image.open(self.files[index]) as image:
            cropped: Image.Image = CROP(image.convert("RGB"))
            return cropped

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return T.functional.to_tensor(self.crop(index)), self.labels[index]


def corrupted(crop: Image.Image, name: str, severity: int) -> Image.Image:
    """Corrupt with the reference and compress like ImageNet-C's files."""
    from imagecorruptions import corrupt

    file = io.BytesIO()
    Image.fromarray(np.uint8(corrupt(np.asarray(crop), severity, name))).save(file, "JPEG", quality=85)
    return Image.open(file)


CLEAN = ("", 0)


def bare(model: nn.Module, images: Folder, live: bool, layout: torch.memory_format) -> None:
    """Run batch by batch, without loader, plan or records."""
    conditions = [CLEAN, *((name, s) for name in CORRUPTIONS for s in SEVERITIES)] if live else [CLEAN]
    for name, severity in conditions:
        for start in range(0, len(images), BATCH):
            crops = [images.crop(i) for i in range(start, min(start + BATCH, len(images)))]
            shown = [corrupted(crop, name, severity) if name else crop for crop in crops]
            batch = torch.stack([T.functional.to_tensor(crop) for crop in shown])
            with torch.inference_mode():
                model(batch.contiguous(memory_format=layout)).argmax(1)


def timms(model: nn.Module, folder: Path, threads: int, layout: torch.memory_format) -> None:
    """Run the loop of validate.py (timm 1.0) with its defaults, on the CPU."""
    data = create_dataset("", root=folder, split="validation")
    loader = create_loader(
        data, (3, 224, 224), BATCH, use_prefetcher=False, interpolation="bicubic", mean=(0, 0, 0), std=(1, 1, 1),
        num_workers=threads, crop_pct=0.875, device=torch.device("cpu"),
    )  # fmt: skip
    criterion, losses, top1, top5 = nn.CrossEntropyLoss(), AverageMeter(), AverageMeter(), AverageMeter()
    with torch.inference_mode():
        for pictures, target in loader:
            output = model(pictures.contiguous(memory_format=layout))
            losses.update(criterion(output, target).item(), len(pictures))
            first, five = accuracy(output, target, topk=(1, 5))
            top1.update(first.item(), len(pictures))
            top5.update(five.item(), len(pictures))


def robustbenchs(model: nn.Module, images: Folder, threads: int) -> None:
    """Load all images into memory like `load_imagenet`, then run `clean_accuracy`."""
    x, y = next(iter(DataLoader(images, batch_size=len(images), shuffle=False, num_workers=threads)))
    try:
        from robustbench.utils import clean_accuracy
    except ImportError:
        clean_accuracy = _clean_accuracy
    clean_accuracy(model, x, y, BATCH, torch.device("cpu"))


def _clean_accuracy(model: nn.Module, x: Tensor, y: Tensor, batch: int, device: torch.device) -> float:
    """Replace RobustBench 1.1.1's function of this name where the package is missing."""
    right = 0.0
    with torch.no_grad():
        for number in range(math.ceil(len(x) / batch)):
            part = slice(number * batch, (number + 1) * batch)
            right += (model(x[part].to(device)).max(1)[1] == y[part].to(device)).float().sum().item()
    return right / len(x)


def ours(model: Model, folder: Path, threads: int, live: bool) -> None:
    """Run `bench run` into a new folder; images are decoded again."""
    with tempfile.TemporaryDirectory() as out:
        suite = "imagenet-c-live" if live else "imagenet"
        carry_out(
            prepare(model, suite, data=folder, out=out, batch_size=BATCH, device="cpu", threads=threads), quiet=True
        )


def chosen(folder: Path, images: int, times: int, into: Path) -> list[Path]:
    """Copy `images` files spread over `folder` into another folder, each `times` times."""
    files = sorted(folder.glob("*/*.JPEG"))
    copies: list[Path] = []
    for file in files[:: max(len(files) // images, 1)][:images]:
        for number in range(times):
            copy = into / file.parent.name / f"{file.stem}_{number}{file.suffix}"
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(file, copy)
            copies.append(copy)
    return copies


def contestants(folder: Path, images: Folder, threads: int, live: bool) -> dict[str, Callable[[], None]]:
    """Return the measured loops by name."""
    model = load_model("efficientnet_lite0")
    layouts = {"": torch.contiguous_format, ", channels-last": torch.channels_last}
    tasks: dict[str, Callable[[], None]] = {"bench run": functools.partial(ours, model, folder, threads, live)}
    for name, layout in layouts.items():
        tasks[f"bare loop{name}"] = functools.partial(bare, model, images, live, layout)
    if not live:
        for name, layout in layouts.items():
            tasks[f"timm's validate.py{name}"] = functools.partial(timms, model, folder, threads, layout)
        tasks["RobustBench's clean_accuracy"] = functools.partial(robustbenchs, model, images, threads)
    return tasks


class Spent(NamedTuple):
    """Seconds of one round: wall time, and CPU time of this process and its finished children."""

    wall: float
    cpu: float


def spent(task: Callable[[], None]) -> Spent:
    """Run the task; returns its times."""
    started, before = time.perf_counter(), sum(os.times()[:4])
    task()
    return Spent(time.perf_counter() - started, sum(os.times()[:4]) - before)


class Contestant:
    """A process of its own that runs one task each time it is asked, after a warm-up."""

    def __init__(self, task: Callable[[], None], threads: int) -> None:
        self._end, other = multiprocessing.Pipe()
        multiprocessing.get_context("fork").Process(target=self._serve, args=(task, threads, other)).start()
        self.spent()

    def spent(self) -> Spent:
        """Run the task; returns its times."""
        self._end.send(True)
        found: Spent = self._end.recv()
        return found

    def stop(self) -> None:
        """End the process."""
        self._end.send(False)

    @staticmethod
    def _serve(task: Callable[[], None], threads: int, asked: Connection) -> None:
        torch.set_num_threads(threads)
        while asked.recv():
            asked.send(spent(task))


def ratio(own: list[float], other: list[float]) -> str:
    """Return the ratio of times, other over own: median over rounds, and range."""
    ratios = [theirs / mine for mine, theirs in zip(own, other, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def compete(tasks: dict[str, Callable[[], None]], rounds: int, images: int, threads: int) -> None:
    """Print each task's rate and its time relative to the first, after a warm-up round."""
    contesting = {name: Contestant(task, threads) for name, task in tasks.items()}
    times: dict[str, list[Spent]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, contestant in contesting.items():
            times[name].append(contestant.spent())
    for contestant in contesting.values():
        contestant.stop()
    first = next(iter(times.values()))
    for name, found in times.items():
        walls, cpus = [t.wall for t in found], [t.cpu for t in found]
        print(
            f"{name}: {images / statistics.median(walls):.1f} images/s; against bench run "
            f"{ratio([t.wall for t in first], walls)} in time, {ratio([t.cpu for t in first], cpus)} in CPU time"
        )


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--live", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)  # threads of a process do not survive its fork
    with tempfile.TemporaryDirectory() as scratch:
        images = Folder(chosen(asked.folder, asked.images, asked.copies, Path(scratch)))
        conditions = 1 + len(CORRUPTIONS) * len(SEVERITIES) if asked.live else 1
        tasks = contestants(Path(scratch), images, asked.threads, asked.live)
        tasks = {name: task for name, task in tasks.items() if name == "bench run" or asked.only in name}
        compete(tasks, asked.rounds, len(images) * conditions, asked.threads)


if __name__ == "__main__":
    main()
