"""Reading ahead: threads decode the images of a unit, and of the unit after it, before they are asked for."""

import functools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bench.datasets.base import Dataset, Picture
from bench.datasets.content import Loaded
from bench.datasets.preprocess import crop_224, fit, prepare
from bench.engine.pictures import View, Viewed, ViewedOrUnread
from bench.engine.session import READ_SECONDS, Session, hangs, state_of
from bench.errors import DataError


@dataclass(frozen=True)
class Wanted:
    """Images of a set, and the views that are needed of each."""

    dataset: Dataset
    indices: Sequence[int]
    views: tuple[View, ...]

    @functools.cached_property
    def shelf(self) -> str:
        """Key of the set's images in the cache, computed once."""
        return self.dataset.shelf


def read(session: Session, wanted: Wanted, then: Wanted | None = None) -> Iterator[ViewedOrUnread]:
    """Yield images in order, decoded a bounded number ahead by the pool; decoded images stay in the cache. Once all are
    being decoded, the pool goes on with those of `then`, so that it works while a model does."""
    ahead = 2 * session.batch_size
    waiting: deque[tuple[int, Viewed | Future[ViewedOrUnread]]] = deque()
    for index in wanted.indices:
        # A thread would cost more than the lookup.
        known = session.cache.in_memory((wanted.shelf, index), wanted.views)
        waiting.append((index, known or _decode(session, wanted, index)))
        if len(waiting) > ahead:
            yield _finish(session, wanted, *waiting.popleft())
    if then is not None:
        same = set(wanted.indices) if then.shelf == wanted.shelf else set()
        new = (i for i in then.indices if i not in same)
        unseen = (i for i in new if not session.cache.in_memory((then.shelf, i), then.views))
        session.coming = {_key(then, i): _decode(session, then, i) for i in islice(unseen, ahead)}
    while waiting:
        yield _finish(session, wanted, *waiting.popleft())


def _key(wanted: Wanted, index: int) -> tuple[str, int, tuple[View, ...]]:
    return wanted.shelf, index, wanted.views


def _decode(session: Session, wanted: Wanted, index: int) -> Future[ViewedOrUnread]:
    """Return the image, that a thread has begun to decode or begins to decode now."""
    begun = session.coming.pop(_key(wanted, index), None)
    make = functools.partial(_picture, wanted.dataset)
    return begun or session.pool.submit(functools.partial(session.show, wanted.dataset, index, wanted.views, make))


def _finish(session: Session, wanted: Wanted, index: int, future: Viewed | Future[ViewedOrUnread]) -> ViewedOrUnread:
    if isinstance(future, Viewed):
        return future
    dataset = wanted.dataset
    try:
        shown = future.result(None if future.done() else READ_SECONDS)
    except TimeoutError:
        if future.done():
            raise
        says = hangs(f"image {dataset.ids[index]} was", READ_SECONDS)
        raise DataError(f"{dataset.name}: {says}") from None
    if isinstance(shown, Viewed):
        session.cache.put((wanted.shelf, index), shown, state_of(dataset, [index]))
    return shown


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
