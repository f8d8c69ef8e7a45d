"""The images of a unit in batches: decoded ahead, corrupted, and prepared for each model's input."""

import functools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from bench.corruptions import image_keys
from bench.datasets.base import Dataset, Picture
from bench.datasets.content import Loaded
from bench.datasets.preprocess import crop_224, fit, prepare
from bench.engine.pictures import Unread, View, Viewed, ViewedOrUnread
from bench.engine.plan import Unit
from bench.engine.session import READ_SECONDS, Session, hangs, state_of
from bench.errors import DataError
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

    def images(self, spec: InputSpec) -> Tensor:
        """Return float32 [n, 3, h, w] in [0, 1]: the readable images, prepared for this input."""
        return to_images(self.pictures[spec])


def batches(session: Session, dataset: Dataset, unit: Unit, specs: Sequence[InputSpec]) -> Iterator[Batch]:
    """Yield the unit's images in batches (attacks and probes take the whole unit and make their own batches)."""
    setup, key = unit.setup, unit.key
    size = key.stop - key.start if setup.attack or setup.probes else session.batch_size
    views: list[View] = [None] if setup.corruption else list(dict.fromkeys(specs))
    shown = _read_ahead(session, dataset, range(key.start, key.stop), views)
    indices = iter(range(key.start, key.stop))
    while chunk := list(islice(indices, size)):
        yield _batch(session, dataset, setup, chunk, list(islice(shown, len(chunk))), specs)


def read_sample(session: Session, dataset: Dataset, setup: Setup, indices: list[int], spec: InputSpec) -> Batch:
    """Return images `indices` of `dataset`, prepared by `setup` for a model's input."""
    views: list[View] = [None] if setup.corruption else [spec]
    shown = list(_read_ahead(session, dataset, indices, views))
    return _batch(session, dataset, setup, indices, shown, [spec])


def _read_ahead(
    session: Session, dataset: Dataset, indices: Iterable[int], views: list[View]
) -> Iterator[ViewedOrUnread]:
    """Yield images in order, decoded a bounded number ahead by the pool; decoded images stay in the cache."""
    make = functools.partial(_picture, dataset)
    shelf = dataset.shelf
    waiting: deque[tuple[int, Viewed | Future[ViewedOrUnread]]] = deque()

    def finish() -> ViewedOrUnread:
        index, future = waiting.popleft()
        if isinstance(future, Viewed):
            return future
        try:
            shown = future.result(None if future.done() else READ_SECONDS)
        except TimeoutError:
            if future.done():
                raise
            says = hangs(f"image {dataset.ids[index]} was", READ_SECONDS)
            raise DataError(f"{dataset.name}: {says}") from None
        if isinstance(shown, Viewed):
            session.cache.put((shelf, index), shown, state_of(dataset, [index]))
        return shown

    for index in indices:
        show = functools.partial(session.show, dataset, index, views, make)
        known = session.cache.in_memory((shelf, index), views)  # a thread would cost more than the lookup
        waiting.append((index, known or session.pool.submit(show)))
        if len(waiting) > 2 * session.batch_size:
            yield finish()
    while waiting:
        yield finish()


def _picture(dataset: Dataset, loaded: Loaded, view: View) -> Picture:
    """Return an image as a model's input shows it, or without a view as corruptions need it."""
    image = loaded.image
    if view is None:
        if loaded.levels is not None:
            raise DataError(f"{dataset.name}: corruptions need 8-bit images, and these have values between the levels")
        return np.asarray(image) if dataset.as_stored else crop_224(image)
    if dataset.exact:
        return np.asarray(image) if loaded.levels is None else loaded.levels
    return fit(np.asarray(image), view) if dataset.as_stored else prepare(image, view)


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


def to_images(pictures: Picture) -> Tensor:
    """Convert uint8 [n, h, w, 3], or float32 in [0, 1], to float32 [n, 3, h, w] in [0, 1]."""
    shown = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    return shown.float().div_(255) if pictures.dtype == np.uint8 else shown.contiguous()
