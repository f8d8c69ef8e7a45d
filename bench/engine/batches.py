"""The images of a unit in batches: read ahead, corrupted, and prepared for each model's input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from bench.corruptions import image_keys
from bench.datasets.base import Dataset, Picture
from bench.datasets.preprocess import fit
from bench.engine.pictures import Unread, View, Viewed, ViewedOrUnread
from bench.engine.plan import Unit
from bench.engine.reading import Wanted, read
from bench.engine.session import Session, Subjects
from bench.suites.base import Setup
from model_zoo.card import InputSpec


@dataclass(frozen=True)
class Batch:
    """Images `indices` of a set: the hash of each one's content or the reason why it could not be read, and the
    readable ones, prepared for each model's input."""

    dataset: Dataset
    indices: list[int]
    contents: list[str | Unread | None]
    pictures: dict[InputSpec, Picture]

    @property
    def readable(self) -> list[int]:
        """The indices that have an image."""
        return [i for i, content in zip(self.indices, self.contents, strict=True) if not isinstance(content, Unread)]

    @property
    def passing(self) -> list[str]:
        """Temporary reasons why images could not be read."""
        return [content.reason for content in self.contents if isinstance(content, Unread) and content.passing]

    @property
    def ids(self) -> list[str]:
        """The ids of the readable images."""
        return [self.dataset.ids[i] for i in self.readable]

    @property
    def labels(self) -> Tensor:
        """int64 [n], of the readable images."""
        return torch.tensor([self.dataset.targets[i] for i in self.readable], dtype=torch.int64)

    def images(self, spec: InputSpec, device: torch.device | None = None) -> Tensor:
        """Return float32 [n, 3, h, w] in [0, 1] on `device` (default: CPU): the readable images, prepared for this
        input."""
        return to_images(self.pictures[spec], device)


def batches(session: Session, subjects: Subjects, unit: Unit, then: Unit | None = None) -> Iterator[Batch]:
    """Yield the unit's images in batches (attacks and probes take the whole unit and make their own batches); threads
    begin to decode those of the unit that will follow."""
    setup, key = unit.setup, unit.key
    size = key.stop - key.start if setup.attack or setup.probes else session.batch_size
    wanted = _wanted(session, subjects, unit)
    shown = read(session, wanted, _wanted(session, subjects, then) if then else None)
    indices = iter(wanted.indices)
    while chunk := list(islice(indices, size)):
        yield _batch(session, wanted.dataset, setup, chunk, list(islice(shown, len(chunk))), _specs(subjects, unit))


def _specs(subjects: Subjects, unit: Unit) -> list[InputSpec]:
    return list(dict.fromkeys(subjects[index].spec for index, _ in unit.cells))


def _wanted(session: Session, subjects: Subjects, unit: Unit) -> Wanted:
    views: list[View] = [None] if unit.setup.corruption else [*_specs(subjects, unit)]
    return Wanted(session.dataset_of(unit.setup), range(unit.key.start, unit.key.stop), tuple(views))


def read_sample(session: Session, dataset: Dataset, setup: Setup, indices: list[int], spec: InputSpec) -> Batch:
    """Return images `indices` of `dataset`, prepared by `setup` for a model's input."""
    view: View = None if setup.corruption else spec
    shown = list(read(session, Wanted(dataset, indices, (view,))))
    return _batch(session, dataset, setup, indices, shown, [spec])


def _batch(
    session: Session,
    dataset: Dataset,
    setup: Setup,
    indices: list[int],
    shown: list[ViewedOrUnread],
    specs: Sequence[InputSpec],
) -> Batch:
    contents = [s.content if isinstance(s, Viewed) else s for s in shown]
    good = [s.views for s in shown if isinstance(s, Viewed)]
    if not good:
        return Batch(dataset, indices, contents, {})
    if setup.corruption is None:
        return Batch(dataset, indices, contents, {spec: np.stack([views[spec] for views in good]) for spec in specs})
    ids = [dataset.ids[i] for i, s in zip(indices, shown, strict=True) if isinstance(s, Viewed)]
    keys = image_keys(session.seed, ids, setup.name)
    corrupted = setup.corruption(np.stack([views[None] for views in good]), keys)
    return Batch(dataset, indices, contents, {spec: np.stack([fit(p, spec) for p in corrupted]) for spec in specs})


def to_images(pictures: Picture, device: torch.device | None = None) -> Tensor:
    """Convert uint8 [n, h, w, 3], or float32 in [0, 1], to float32 [n, 3, h, w] in [0, 1] on `device` (default: CPU).

    Levels are moved as bytes and converted there. They are divided by a tensor of the device, since CUDA would multiply
    by the rounded reciprocal of a number: every device gives the same bits.
    """
    shown = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    if pictures.dtype != np.uint8:
        return shown.contiguous().to(device, non_blocking=True)
    levels = shown.to(device, non_blocking=True).float()
    return levels.div_(torch.full((), 255.0, device=device))
