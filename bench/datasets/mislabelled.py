"""Class folders that hold another class's pictures, found by what the pictures' own names say."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from bench.datasets.base import Dataset
from bench.datasets.labels import imagenet_index, imagenet_wnids

_NAMED = re.compile(r"(n\d{8})_")
_VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})")

SHOWN = 10
ENOUGH, RARE = 5, 0.2
"""Reassessed labels differ from the original in a tenth of the pictures: a folder of at least so many pictures of which
less than this share is right is another class's."""


def mislabelled_folders(dataset: Dataset) -> Iterator[str]:
    """One line that names the folders, if there are any; sets whose pictures' names tell nothing give none.

    `n01440764_10026` names its class; `ILSVRC2012_val_00000001` has ReaL labels (`bench.metrics.real`).
    """
    if dataset.labels != "imagenet1k":
        return
    told: dict[int, list[frozenset[int]]] = defaultdict(list)
    for name, target in zip(dataset.ids, dataset.targets, strict=True):
        if classes := _classes(name):
            told[target].append(classes)
    wrong = {target: _most_common(classes) for target, classes in told.items() if _is_anothers(target, classes)}
    if wrong:
        wnids = imagenet_wnids()
        pairs = [f"{wnids[folder]}/ holds {wnids[held]}'s" for folder, held in sorted(wrong.items())]
        more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
        yield f"{len(pairs)} class folders hold another class's pictures: {', '.join(pairs[:SHOWN])}{more}"


def _classes(name: str) -> frozenset[int]:
    """The classes of a picture by its name; empty where it tells none."""
    if match := _NAMED.match(name):
        return frozenset({imagenet_index()[match[1]]} if match[1] in imagenet_index() else ())
    if match := _VALIDATION.search(name):
        from bench.metrics.real import real_labels  # pandas takes a while: `bench list` answers without it

        return real_labels()[int(match[1]) - 1]
    return frozenset()


def _is_anothers(target: int, told: list[frozenset[int]]) -> bool:
    right = sum(target in classes for classes in told)
    return right < RARE * len(told) and len(told) >= ENOUGH


def _most_common(told: list[frozenset[int]]) -> int:
    return Counter(label for classes in told for label in classes).most_common(1)[0][0]
