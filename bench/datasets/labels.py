"""Label spaces: what a class index means, and which of a model's logits may be chosen."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import DataError


@functools.cache
def imagenet_wnids() -> tuple[str, ...]:
    """The 1000 WordNet ids in sorted order: class index of every torchvision, timm and released model here."""
    from timm.data.imagenet_info import ImageNetInfo

    info: Any = ImageNetInfo()
    return tuple(info.label_names())


@functools.cache
def imagenet_index() -> dict[str, int]:
    """Class index of each wnid."""
    return {wnid: index for index, wnid in enumerate(imagenet_wnids())}


@dataclass(frozen=True)
class LabelSpace:
    """The classes that a data set's labels count.

    `choices` are the columns of a 1000-way model that may be predicted (ImageNet-A and -R have 200), in the order of
    the labels; empty where all logits are allowed.
    """

    name: str
    classes: int
    choices: tuple[int, ...] = ()


_SPACES = {"imagenet1k": LabelSpace("imagenet1k", 1000), "tiny10": LabelSpace("tiny10", 10)}


def label_space(name: str) -> LabelSpace:
    """The label space called `name`; `folderN` is that of a folder with N classes."""
    if name.startswith("folder") and name.removeprefix("folder").isdigit():
        return LabelSpace(name, int(name.removeprefix("folder")))
    return _SPACES[name]


def check_fit(space: LabelSpace, logits: int, model: str) -> None:
    """Raises `DataError` when a model's `logits` cannot answer in `space`."""
    needed = 1000 if space.choices else space.classes
    if logits != needed:
        raise DataError(
            f"{model} has {logits} classes, but label space {space.name!r} needs {needed}; "
            "choose a suite of the model's own data set (`bench show MODEL`)"
        )


def subspace(name: str, wnids: Sequence[str]) -> LabelSpace:
    """The label space of some of ImageNet's classes, in sorted-wnid order."""
    index = imagenet_index()
    unknown = [w for w in wnids if w not in index]
    if unknown:
        raise DataError(f"label space {name!r}: not ImageNet-1k classes: {', '.join(unknown[:5])}")
    return LabelSpace(name, len(wnids), tuple(sorted(index[w] for w in wnids)))
