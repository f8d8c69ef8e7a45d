"""Prepared images with the hash of their source, and the cache of them in memory."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.datasets.base import Picture
from model_zoo.card import InputSpec

CACHE_BYTES = 1 << 30
"""Maximum number of decoded images kept: those of one unit serve all following conditions and models."""

View = InputSpec | None
"""Preparation of an image: for a model's input, or (None) as corruptions need it."""


@dataclass(frozen=True)
class Viewed:
    """One image in all its views, and the hash of its content (`Dataset.load`)."""

    views: dict[View, Picture]
    content: str | None = None

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return sum(picture.nbytes for picture in self.views.values())


@dataclass(frozen=True)
class Unread:
    """Why an image could not be read, and whether this is temporary: then its unit is not finished."""

    reason: str
    passing: bool = False


ViewedOrUnread = Viewed | Unread


class PictureCache:
    """The most recently decoded images, by data set and index, up to `CACHE_BYTES`."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit = limit
        self.used = 0
        self._shown: OrderedDict[tuple[str, int], Viewed] = OrderedDict()

    def get(self, key: tuple[str, int], views: Sequence[View] = (), state: str = "") -> Viewed | None:  # noqa: ARG002
        """Return the known views of the image, and mark it as most recent; `views` are those needed, `state` that of
        its file (within a run it cannot change unseen)."""
        if key in self._shown:
            self._shown.move_to_end(key)
        return self._shown.get(key)

    def in_memory(self, key: tuple[str, int], views: Sequence[View]) -> Viewed | None:
        """The image, now the most recent, where memory has it in all `views`."""
        known = self._shown.get(key)
        if known is None or not all(view in known.views for view in views):
            return None
        self._shown.move_to_end(key)
        return known

    def put(self, key: tuple[str, int], shown: Viewed, state: str = "") -> None:  # noqa: ARG002
        """Keep `shown`, and drop the oldest images that do not fit."""
        if self._shown.get(key) is shown:
            return
        self.used += shown.bytes - (self._shown[key].bytes if key in self._shown else 0)
        self._shown[key] = shown
        while self.used > self.limit and len(self._shown) > 1:
            self.used -= self._shown.popitem(last=False)[1].bytes
