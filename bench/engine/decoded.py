"""A decode cache on disk: each image's crop as raw uint8, so that ten models, or ten runs, cost one decode.

Set `BENCH_DECODED` to a folder to use it. Each (`Dataset.shelf`, view) is one file of slots of equal size, read through
the page cache like mapped memory. Beside it, each slot has a CRC-32, the hash of the image's content, and the state of
its file, so that a torn or altered slot, or an image that was written to, is decoded again. Several processes may share
it: all write the same bytes.
"""

import dataclasses
import json
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.datasets.base import Picture
from bench.engine.pictures import CACHE_BYTES, PictureCache, View, Viewed
from bench.files import NO_LINK, PLAIN, read_at, write_at
from bench.record import digest
from model_zoo.schema import loads, parse

LARGEST = 4096
"""Side of an image in pixels, as of a card's input."""

_MARK = struct.Struct("<I16s16s")
"""Fields of a slot: the CRC-32 of its bytes (never 0), the hash of the content, and the state of the file."""

_VERSION = 3
"""Version; raised whenever a view's bytes may change for the same shelf."""


@dataclass(frozen=True)
class Slot:
    """An image, and the hash of its source."""

    picture: Picture
    content: str | None = None


@dataclass
class SlotFile:
    """Images of one shape by index. A slot that was never written has CRC 0."""

    path: Path
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        self.size = int(np.prod(self.shape))
        flags = os.O_RDWR | os.O_CREAT | NO_LINK | PLAIN
        self._pictures = os.open(self.path.with_suffix(".u8"), flags, 0o666)
        self._marks = os.open(self.path.with_suffix(".crc"), flags, 0o666)

    def get(self, index: int, state: str = "") -> Slot | None:
        """Return the content of slot `index`, or None if it is damaged or of another `state`."""
        mark = read_at(self._marks, _MARK.size, index * _MARK.size)
        if len(mark) < _MARK.size:
            return None
        crc, content, held = _MARK.unpack(mark)
        if crc == 0 or held != _sixteen(state):
            return None
        data = read_at(self._pictures, self.size, index * self.size)
        if len(data) < self.size or _checksum(data) != crc:
            return None
        picture = np.frombuffer(data, np.uint8).reshape(self.shape)
        return Slot(picture, content.rstrip(b"\0").decode("ascii", "replace") or None)

    def put(self, index: int, slot: Slot, state: str = "") -> None:
        """Write the image, then the CRC that makes it valid."""
        data = slot.picture.tobytes()
        write_at(self._marks, bytes(_MARK.size), index * _MARK.size)
        write_at(self._pictures, data, index * self.size)
        mark = _MARK.pack(_checksum(data), _sixteen(slot.content or ""), _sixteen(state))
        write_at(self._marks, mark, index * _MARK.size)


def _checksum(data: bytes) -> int:
    return zlib.crc32(data) or 1


def _sixteen(text: str) -> bytes:
    return text.encode().ljust(16, b"\0")


class DecodedCache(PictureCache):
    """A `PictureCache` whose images also lie in `folder`."""

    def __init__(self, folder: Path, limit: int = CACHE_BYTES) -> None:
        super().__init__(limit)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._files: dict[tuple[str, View], SlotFile] = {}

    def get(self, key: tuple[str, int], views: Sequence[View] = (), state: str = "") -> Viewed | None:
        """Return the known views of the image in `views`, from memory or disk, all of the same content."""
        known = super().get(key, views)
        found, content = dict(known.views if known else {}), known.content if known else None
        for view in views:
            if view not in found and (file := self._file(key[0], view)) and (slot := file.get(key[1], state)):
                if found and slot.content != content:
                    continue
                found[view], content = slot.picture, slot.content
        return Viewed(found, content) if found else None

    def put(self, key: tuple[str, int], shown: Viewed, state: str = "") -> None:
        """Keep views in memory, and write new ones to disk."""
        super().put(key, shown)
        for view, picture in shown.views.items():
            if picture.dtype != np.uint8:
                continue
            file = self._file(key[0], view, picture.shape)
            if file and file.shape == picture.shape and file.get(key[1], state) is None:
                file.put(key[1], Slot(picture, shown.content), state)

    def _file(self, shelf: str, view: View, shape: tuple[int, ...] | None = None) -> SlotFile | None:
        """Return the file of a view, created if a `shape` is given; None if there is none yet."""
        if (shelf, view) not in self._files:
            about = {"version": _VERSION, "shelf": shelf, "view": dataclasses.asdict(view) if view else "crop 224"}
            path = self.folder / f"{shelf}-{digest(about)}.json"
            if (known := _shape_in(path)) is not None:
                shape = known
            elif shape is not None:
                path.write_text(json.dumps({**about, "shape": shape}))
            else:
                return None
            self._files[shelf, view] = SlotFile(path, shape)
        return self._files[shelf, view]


def _shape_in(path: Path) -> tuple[int, int, int] | None:
    """Return the shape stored in the file; None if there is none, or another process is writing it."""
    try:
        height, width, channels = parse(tuple[int, int, int], loads(path.read_bytes())["shape"], "shape")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sound = 0 < min(height, width) <= max(height, width) <= LARGEST and channels == 3
    return (height, width, channels) if sound else None


def picture_cache() -> PictureCache:
    """Return the cache in memory, backed by the folder in BENCH_DECODED if that is set."""
    folder = os.environ.get("BENCH_DECODED")
    return DecodedCache(Path(folder)) if folder else PictureCache()
