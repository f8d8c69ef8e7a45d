"""The tiny data set: 32-pixel images of ten shapes, generated from a seed; no download, no licence.

A class shows in two cues: the object's silhouette (robust, and hard to see at times) and a faint surface texture (more
predictable, and within reach of an attacker). Image i depends on (split, seed, i) alone, and its bytes are the same
on every machine. See docs/tiny.md.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.datasets.tiny.draws import Draws, image_keys
from bench.datasets.tiny.render import SIZE, render
from bench.datasets.tiny.splits import CLASSES, TABLE, texture_labels
from bench.errors import DataError, UsageError

__all__ = [
    "CLASSES",
    "REPORT_SEED",
    "SIZE",
    "SPLITS",
    "TRAIN_SEED",
    "TUNE_SEED",
    "VERSION",
    "Members",
    "TinyBatch",
    "chosen",
    "describe",
    "generate",
]

VERSION = "2"
"""Raised when any byte of any image changes; part of the manifest."""

TRAIN_SEED = 0
TUNE_SEED = 1
"""The val stream on which recipes may be tuned."""
REPORT_SEED = 2
"""The stream that tuning never sees, and that the suites show unless told otherwise."""

SPLITS = ("train", "val", "hard", "a", "stylised", "cue-conflict")
_CHUNK = 256


@dataclass(frozen=True)
class TinyBatch:
    """images: uint8 [n, 32, 32, 3]; labels and texture_labels: int64 [n]; ids: such as `val-2-000017`."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    texture_labels: NDArray[np.int64]
    ids: list[str]


def generate(split: str, n: int, seed: int | None = None, start: int = 0) -> TinyBatch:
    """Images `start` to `start + n` of `split`. `seed` is `TRAIN_SEED` for train and else `REPORT_SEED` unless given.

    Raises `UsageError` for an unknown split; `DataError` for a seed without an `a` split, or beyond its end.
    """
    members = describe(split, n, seed, start)
    parts = [_render(members[i : i + _CHUNK]) for i in range(0, max(n, 1), _CHUNK)]
    return TinyBatch(np.concatenate(parts), members.labels, members.texture_labels, members.ids)


@dataclass(frozen=True)
class Members:
    """Images of a split, not yet drawn. labels, texture_labels, indices (within `stream`): int64 [n]."""

    stream: str
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    texture_labels: NDArray[np.int64]
    ids: list[str]

    def __getitem__(self, some: slice) -> "Members":
        return Members(self.stream, self.indices[some], self.labels[some], self.texture_labels[some], self.ids[some])


def describe(split: str, n: int, seed: int | None = None, start: int = 0) -> Members:
    """What `generate` would draw, without drawing it: labels and ids at no cost. Arguments and errors are the same."""
    if split not in SPLITS:
        raise UsageError.unknown("split", split, SPLITS)
    if seed is None:
        seed = TRAIN_SEED if split == "train" else REPORT_SEED
    indices = np.arange(start, start + n, dtype=np.int64)
    if split == "a":
        indices = _of_a(indices, seed)
    source = "hard" if split == "a" else split
    draws = Draws(image_keys(f"{source}/{seed}", indices))
    labels = draws.integer("class", len(CLASSES))
    textures = texture_labels(draws, labels, TABLE[source].textures)
    ids = [f"{split}-{seed}-{i:06d}" for i in indices]
    return Members(f"{source}/{seed}", indices, labels, textures, ids)


def chosen(seed: int = REPORT_SEED) -> NDArray[np.int64]:
    """Indices, within the `hard` stream of `seed`, of the images that make up `a`. Raises `DataError`."""
    return _chosen(seed).copy()


@functools.cache
def _chosen(seed: int) -> NDArray[np.int64]:
    path = Path(__file__).parent / f"a-{seed}.txt"
    if not path.is_file():
        raise DataError(
            f"the tiny split 'a' exists for seeds {TUNE_SEED} and {REPORT_SEED}, found {seed}; "
            "next: python -m bench.training.choose_a --help"
        )
    return np.loadtxt(path, dtype=np.int64, ndmin=1)


def _of_a(places: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    members = _chosen(seed)
    if len(places) and places[-1] >= len(members):
        raise DataError(f"the tiny split 'a' of seed {seed} has {len(members)} images, asked for {places[-1] + 1}")
    return members[places]


def _render(members: Members) -> NDArray[np.uint8]:
    """uint8 [n, 32, 32, 3]."""
    draws = Draws(image_keys(members.stream, members.indices))
    look = TABLE[members.stream.partition("/")[0]].look
    return render(draws, members.labels, members.texture_labels, look)
