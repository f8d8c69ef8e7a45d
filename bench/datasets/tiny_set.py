"""The tiny images as data sets: generated as they are read, so that they need no folder."""

import functools

from PIL import Image

from bench.datasets import tiny
from bench.datasets.base import Dataset
from bench.datasets.content import Loaded
from bench.errors import DataError

LABELS = "tiny10"
COUNT = 2_000
"""Images of each set, but for `tiny-a`, which has as many as were chosen for it."""

SPLIT_OF = {"tiny": "val", "tiny-a": "a", "tiny-stylized": "stylised", "tiny-cue-conflict": "cue-conflict"}
"""The generator's split behind each data set."""

_BLOCK = 100
_BLOCKS_KEPT = 64


class TinyDataset(Dataset):
    """A split of the generator. Ids of cue-conflict images tell both cues, as the published ones do: `star7-disc7`.

    The manifest hashes the generator's version, the seed and the ids, which together fix every byte.
    """

    as_stored, side = True, 32

    def __init__(self, name: str, count: int = COUNT, seed: int = tiny.REPORT_SEED) -> None:
        self.name, self.labels, self.seed, self.split = name, LABELS, seed, SPLIT_OF[name]
        members = tiny.describe(self.split, count, seed)
        ids = _cue_ids(members) if self.split == "cue-conflict" else members.ids
        super().__init__(ids, members.labels.tolist())

    def read(self, index: int) -> Image.Image:
        return Image.fromarray(_block(self.split, self.seed, index // _BLOCK, len(self)).images[index % _BLOCK])

    def load(self, index: int) -> Loaded:
        return Loaded(self.read(index), None)

    def content(self) -> list[tuple[object, ...]]:
        made = f"embedded {tiny.VERSION} seed {self.seed}"
        return [(made, image_id, target) for image_id, target in zip(self.ids, self.targets, strict=True)]


@functools.lru_cache(_BLOCKS_KEPT)
def _block(split: str, seed: int, number: int, count: int) -> tiny.TinyBatch:
    """Images are drawn a hundred at a time: one alone costs as much as ten."""
    start = number * _BLOCK
    return tiny.generate(split, min(_BLOCK, count - start), seed, start)


def _cue_ids(members: tiny.Members) -> list[str]:
    cues = zip(members.indices, members.labels, members.texture_labels, strict=True)
    return [f"{tiny.CLASSES[shape]}{i}-{tiny.CLASSES[texture]}{i}" for i, shape, texture in cues]


def open_tiny(name: str, part: str = "") -> TinyDataset:
    """The tiny data set called `name`, on the seed that tuning never saw. Raises `DataError` for a `part`."""
    if part:
        raise DataError(f"{name}: the tiny sets have no parts, found {part!r}")
    return TinyDataset(name, len(tiny.chosen()) if SPLIT_OF[name] == "a" else COUNT)
