"""Training data: the tiny images in memory, or any folder of images."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from bench.datasets import tiny
from bench.errors import DataError


class TrainingBatch(NamedTuple):
    """A batch. images: float32 [n, 3, h, w], RGB in [0, 1]; labels: int64 [n]."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "TrainingBatch":
        """Return the batch on `device`."""
        return TrainingBatch(self.images.to(device, non_blocking=True), self.labels.to(device, non_blocking=True))


class Share(NamedTuple):
    """Share of each batch that this process takes: number `rank` of `world` equal ones."""

    rank: int = 0
    world: int = 1


class TrainingSet(Protocol):
    """Training images in batches, in a fixed order for every epoch. `manifest` identifies the images."""

    classes: int
    manifest: str

    def batches(self, epoch: int, size: int, share: Share) -> Iterator[TrainingBatch]:
        """Yield the epoch's batches, of `size` images over all processes; an incomplete last batch is dropped."""

    def length(self, size: int) -> int:
        """Return the number of batches per epoch."""


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """Return the order of an epoch, int64 [count]. It depends only on `seed` and `epoch`, so resumed runs repeat it."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(1_000_003 * seed + epoch))


class TinyPictures:
    """The first `count` images of the tiny training split, stored as uint8."""

    classes = len(tiny.CLASSES)

    def __init__(self, count: int, seed: int) -> None:
        self.images, self.labels = _tiny_tensors(count)
        self.seed = seed
        self.manifest = f"embedded {tiny.VERSION} train-{tiny.TRAIN_SEED} 0..{count - 1}"

    def length(self, size: int) -> int:
        return len(self.labels) // size

    def batches(self, epoch: int, size: int, share: Share) -> Iterator[TrainingBatch]:
        order = epoch_order(len(self.labels), self.seed, epoch)
        for chosen in torch.split(order, size)[: self.length(size)]:
            mine = chosen[share.rank :: share.world]
            yield TrainingBatch(self.images[mine].float().div_(255), self.labels[mine])


@functools.cache
def _tiny_tensors(count: int) -> tuple[Tensor, Tensor]:
    """Return images uint8 [n, 3, h, w] in memory order NHWC, and labels int64 [n]."""
    batch = tiny.generate("train", count)
    return torch.from_numpy(batch.images).permute(0, 3, 1, 2), torch.from_numpy(batch.labels)


class Folder:
    """Images in one folder per class under `root` or `root/train`, cropped to `size` x `size` pixels."""

    def __init__(self, root: Path, size: int, seed: int, workers: int = 4) -> None:
        from torchvision.datasets import ImageFolder
        from torchvision.transforms import v2

        place = root / "train" if (root / "train").is_dir() else root
        scale = v2.Compose([v2.Resize(size), v2.CenterCrop(size), v2.PILToTensor()])
        try:
            self.pictures = ImageFolder(str(place), scale)
        except FileNotFoundError as error:
            raise DataError(f"{place}: expected one folder a class with pictures in it; {error}") from None
        self.classes, self.seed, self.workers = len(self.pictures.classes), seed, workers
        self.manifest = f"folder {place.resolve().name} of {len(self.pictures)} pictures in {self.classes} classes"

    def length(self, size: int) -> int:
        return len(self.pictures) // size

    def batches(self, epoch: int, size: int, share: Share) -> Iterator[TrainingBatch]:
        order = torch.split(epoch_order(len(self.pictures), self.seed, epoch), size)[: self.length(size)]
        mine = [chosen[share.rank :: share.world].tolist() for chosen in order]
        for images, labels in DataLoader(self.pictures, batch_sampler=mine, num_workers=self.workers):
            yield TrainingBatch(images.float().div_(255), labels)
