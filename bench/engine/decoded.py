"""A decode cache on a disk: each picture's crop as raw uint8, so that ten models, or ten runs, cost one decode.

Set `BENCH_DECODED` to a folder to use it. One file for each (data set's manifest, view): slots of equal size, read
through the page cache like mapped memory; beside it a CRC-32 a slot, so that a torn or altered slot is decoded anew.
Several processes may share it: whoever is second writes the same bytes.
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
from bench.engine.session import CACHE_BYTES, PictureCache, Shown, View
from bench.record import digest
from model_zoo.schema import loads, parse

LARGEST = 4096
"""Pixels of a picture's side, as of a card's input."""

_CRC = struct.Struct("<I")
_VERSION = 1
"""Raised whenever a view's bytes may change for the same manifest."""


@dataclass
class SlotFile:
    """Pictures of one shape by index. A slot never written has CRC 0."""

    path: Path
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        self.size = int(np.prod(self.shape))
        flags = os.O_RDWR | os.O_CREAT
        self._pictures = os.open(self.path.with_suffix(".u8"), flags)
        self._crcs = os.open(self.path.with_suffix(".crc"), flags)

    def get(self, index: int) -> Picture | None:
        """The picture in slot `index`, or None where there is none or not the one that was put."""
        crc = os.pread(self._crcs, _CRC.size, index * _CRC.size)
        if len(crc) < _CRC.size or crc == bytes(_CRC.size):
            return None
        data = os.pread(self._pictures, self.size, index * self.size)
        if len(data) < self.size or _checksum(data) != crc:
            return None
        return np.frombuffer(data, np.uint8).reshape(self.shape)

    def put(self, index: int, picture: Picture) -> None:
        """Write the picture, then the checksum that makes it count."""
        data = picture.tobytes()
        os.pwrite(self._pictures, data, index * self.size)
        os.pwrite(self._crcs, _checksum(data), index * _CRC.size)


def _checksum(data: bytes) -> bytes:
    return _CRC.pack(zlib.crc32(data) or 1)


class DecodedCache(PictureCache):
    """A `PictureCache` whose pictures also lie in `folder`."""

    def __init__(self, folder: Path, limit: int = CACHE_BYTES) -> None:
        super().__init__(limit)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._files: dict[tuple[str, View], SlotFile] = {}

    def get(self, key: tuple[str, int], views: Sequence[View] = ()) -> Shown | None:
        """What is known of the image in `views`, from memory or from the disk."""
        known = super().get(key, views)
        if isinstance(known, str):
            return known
        found = dict(known or {})
        for view in views:
            if view not in found and (file := self._file(key[0], view)) and (picture := file.get(key[1])) is not None:
                found[view] = picture
        return found or None

    def put(self, key: tuple[str, int], shown: Shown) -> None:
        """Keep it in memory, and what is new of it on the disk."""
        super().put(key, shown)
        if isinstance(shown, str):
            return
        for view, picture in shown.items():
            file = self._file(key[0], view, picture.shape)
            if file and file.shape == picture.shape and file.get(key[1]) is None:
                file.put(key[1], picture)

    def _file(self, manifest: str, view: View, shape: tuple[int, ...] | None = None) -> SlotFile | None:
        """The file of a view; made when a `shape` is given, None where there is none yet."""
        if (manifest, view) not in self._files:
            about = {
                "version": _VERSION,
                "manifest": manifest,
                "view": dataclasses.asdict(view) if view else "crop 224",
            }
            path = self.folder / f"{manifest}-{digest(about)}.json"
            if (known := _shape_in(path)) is not None:
                shape = known
            elif shape is not None:
                path.write_text(json.dumps({**about, "shape": shape}))
            else:
                return None
            self._files[manifest, view] = SlotFile(path, shape)
        return self._files[manifest, view]


def _shape_in(path: Path) -> tuple[int, int, int] | None:
    """The shape that the file states; None where there is none, or another process is just writing it."""
    try:
        height, width, channels = parse(tuple[int, int, int], loads(path.read_bytes())["shape"], "shape")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sound = 0 < min(height, width) <= max(height, width) <= LARGEST and channels == 3
    return (height, width, channels) if sound else None
