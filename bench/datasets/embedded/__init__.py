"""The embedded data set: 32-pixel pictures of ten shapes, generated from a seed; no download, no licence.

A class shows in two cues: the object's silhouette (robust, and hard to see at times) and a faint surface texture (more
predictable, and within reach of an attacker). Picture i depends on (split, seed, i) alone, and its bytes are the same
on every machine. See docs/embedded.md.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.datasets.embedded.draws import Draws, image_keys
from bench.datasets.embedded.render import SIZE, render
from bench.datasets.embedded.splits import CLASSES, TABLE, texture_labels
from bench.errors import DataError, UsageError

__all__ = [
    "CLASSES", "REPORT_SEED", "SIZE", "SPLITS", "TRAIN_SEED", "TUNE_SEED", "VERSION", "EmbeddedBatch", "chosen",
    "generate",
]  # fmt: skip

VERSION = "1"
"""Raised when any byte of any picture changes; part of the manifest."""

TRAIN_SEED = 0
TUNE_SEED = 1
"""The val stream on which recipes may be tuned."""
REPORT_SEED = 2
"""The stream that tuning never sees, and that the suites show unless told otherwise."""

SPLITS = ("train", "val", "hard", "a", "stylised", "cue-conflict")
_CHUNK = 256


@dataclass(frozen=True)
class EmbeddedBatch:
    """images: uint8 [n, 32, 32, 3]; labels and texture_labels: int64 [n]; ids: such as `val-2-000017`."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    texture_labels: NDArray[np.int64]
    ids: list[str]


def generate(split: str, n: int, seed: int | None = None, start: int = 0) -> EmbeddedBatch:
    """Pictures `start` to `start + n` of `split`. `seed` is `TRAIN_SEED` for train and else `REPORT_SEED` unless given.

    Raises `UsageError` for an unknown split; `DataError` for a seed without an `a` split, or beyond its end.
    """
    if split not in SPLITS:
        raise UsageError.unknown("split", split, SPLITS)
    if seed is None:
        seed = TRAIN_SEED if split == "train" else REPORT_SEED
    indices = np.arange(start, start + n, dtype=np.int64)
    if split == "a":
        indices = _of_a(indices, seed)
    stream = "hard" if split == "a" else split
    parts = [_render(stream, seed, indices[i : i + _CHUNK]) for i in range(0, max(len(indices), 1), _CHUNK)]
    images, labels, textures = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return EmbeddedBatch(images, labels, textures, [f"{split}-{seed}-{i:06d}" for i in indices])


def chosen(seed: int = REPORT_SEED) -> NDArray[np.int64]:
    """Indices, within the `hard` stream of `seed`, of the pictures that make up `a`. Raises `DataError`."""
    return _chosen(seed).copy()


@functools.cache
def _chosen(seed: int) -> NDArray[np.int64]:
    path = Path(__file__).parent / f"a-{seed}.txt"
    if not path.is_file():
        raise DataError(
            f"the embedded split 'a' exists for seeds {TUNE_SEED} and {REPORT_SEED}, found {seed}; "
            "next: python -m bench.training.choose_a --help"
        )
    return np.loadtxt(path, dtype=np.int64, ndmin=1)


def _of_a(places: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    members = _chosen(seed)
    if len(places) and places[-1] >= len(members):
        raise DataError(
            f"the embedded split 'a' of seed {seed} has {len(members)} pictures, asked for {places[-1] + 1}"
        )
    return members[places]


def _render(
    stream: str, seed: int, indices: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Images, labels and texture labels of the pictures at `indices`."""
    draws = Draws(image_keys(f"{stream}/{seed}", indices))
    labels = draws.integer("class", len(CLASSES))
    textures = texture_labels(draws, labels, TABLE[stream].textures)
    return render(draws, labels, textures, TABLE[stream].look), labels, textures
