"""What proves a set's labels, and what contradicts them: one judgement for `run`, `doctor` and `data list`.

A label is proved by a wnid, a ground-truth file or a class name of ImageNet; a number, or the order of folders, proves
nothing by itself. Whatever the images' own names tell has to agree: a wnid in them exactly, the reassessed labels of
ImageNet's validation images (ReaL) as far as the official labels agree with them.
"""

import functools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.datasets.base import Dataset
from bench.datasets.labels import imagenet_index, imagenet_wnids, label_space
from bench.naming import VALIDATION, told_wnid

BY_WNIDS, BY_NAMES, BY_NUMBERS, BY_POSITION = "folders by wnid", "class names", "numbers", "order of folders"

RELEASE = "the release's own folders"
"""Folders 0..999 as the authors gave them out, in the order of the sorted wnids."""

SHOWN = 10
"""Folders named of those that hold another class's images."""

AGREE, HALF = 0.9, 0.5
"""Official labels are among the ReaL ones of 90 % of the 46,837 images that have any: under half is another order."""
UNLIKE = 0.1
"""Bound of the standard deviation of that share from class to class."""
ENOUGH = 10
"""Images that a share is believed of."""

OWN, OTHERS, ALONE, PAIRED = 0.1, 0.5, 20, 5
OTHERS_ALONE = 0.7
"""The official images of n04392985 are its own by ReaL in 17.5 %, another class's in 45 %; of no other class are they
less its own. A folder of `PAIRED` images of which less than `OWN` are its own and `OTHERS` another class's is that
class's where the other's folder is wrong too; alone, with `ALONE` images and `OTHERS_ALONE`."""


@dataclass(frozen=True)
class Told:
    """What images' names tell of their classes: `wnids` for certain, `real` as reassessed; label -> classes each."""

    wnids: dict[int, list[int]]
    real: dict[int, list[frozenset[int]]]
    twice: str = ""
    """A validation image with two labels, one of which is wrong."""

    @classmethod
    def of(cls, dataset: Dataset) -> "Told":
        """Labels count ImageNet's classes, whatever label space the set has."""
        wnids, real, index, twice = defaultdict(list), defaultdict(list), imagenet_index(), ""
        labels: dict[int, int] = {}
        for stem, target in zip(dataset.stems, dataset.targets, strict=True):
            label = _label_of(dataset, target)
            match = VALIDATION.search(stem)
            if match and (other := labels.setdefault(int(match[1]), label)) != label:
                both = " and ".join(sorted(map(_wnid, (other, label))))
                twice = f"{match[0]} is one image, and has two classes ({both})"
            if (wnid := told_wnid(stem)) in index:
                wnids[label].append(index[wnid])
            elif match and (classes := _reassessed(int(match[1]))):
                real[label].append(classes)
        return cls(dict(wnids), dict(real), twice)

    @property
    def right(self) -> int:
        """Images whose names tell their own label."""
        exact = sum(told.count(label) for label, told in self.wnids.items())
        return exact + sum(self.reassessed)

    @property
    def reassessed(self) -> list[bool]:
        """Whether the label is among the reassessed ones, of each image that has any."""
        return [label in classes for label, every in self.real.items() for classes in every]

    @property
    def count(self) -> int:
        """Images whose names tell anything."""
        return sum(map(len, self.wnids.values())) + sum(map(len, self.real.values()))


def told_of(dataset: Dataset) -> Told | None:
    """What the names of images tell of labels that count ImageNet's classes; None for other labels."""
    return Told.of(dataset) if _counts_imagenet(dataset) else None


def refusal(dataset: Dataset, told: Told | None) -> str:
    """Why the set's labels cannot be believed; empty where they can. `run` raises it, the doctor shows it."""
    if told is None:
        return ""
    if wrong := _another_wnid(told):
        return wrong
    if told.twice:
        return f"{told.twice}: remove it where it is wrong"
    real = told.reassessed
    agree = sum(real)
    if pairs := mislabelled_pairs(told.real):
        return _named(pairs)
    if len(real) >= ENOUGH and agree < HALF * len(real):
        return (
            f"labels of another class order: of {len(real)} images of the validation set whose right classes are "
            f"known (ReaL), {agree} have one of them; folders by number go by the sorted wnids, not the devkit's ids"
        )
    if dataset.proof == BY_NUMBERS and agree < (least := fewest(len(real), len(told.real))):
        return (
            f"numbers that contradict the images: of {len(real)} images of the validation set whose right classes are "
            f"known (ReaL), {agree} have one of them, and {least} or more would; correct the numbers of the others, "
            "or name folders by wnid"
        )
    if dataset.proof == BY_NUMBERS and not told.right >= HALF * max(1, told.count):
        return (
            "classes are given only by numbers, and no image's name (ILSVRC2012_val_..., n01440764_...) confirms "
            "their order: name folders by wnid, or add class names to the numbers"
        )
    return ""


def remark(dataset: Dataset, told: Told | None) -> tuple[str, ...]:
    """Say how many images' names contradict labels by number, which nothing else proves; of others, if more do than
    reassessed labels contradict official ones."""
    if told is None:
        return ()
    real, by = told.reassessed, dataset.proof or "labels"
    if not (wrong := real.count(False)) or (
        by != BY_NUMBERS and len(real) - wrong >= fewest(len(real), len(told.real))
    ):
        return ()
    return (f"{by}: of {len(real)} images whose right classes are known (ReaL), {wrong} have another",)


def _wnid(label: int) -> str:
    return imagenet_wnids()[label] if 0 <= label < len(imagenet_wnids()) else str(label)


def _label_of(dataset: Dataset, target: int) -> int:
    members = label_space(dataset.labels).members
    return members[target][0] if members else target


def fewest(images: int, classes: int) -> int:
    """Return the fewest of `images` official labels in `classes` that have to be among the ReaL ones: three standard
    errors below their share, of images and of classes."""
    if images < ENOUGH:
        return 0
    error = (AGREE * (1 - AGREE) / images + UNLIKE**2 / classes) ** 0.5
    return int(images * max(HALF, AGREE - 3 * error))


def _counts_imagenet(dataset: Dataset) -> bool:
    space = label_space(dataset.labels)
    return dataset.labels == "imagenet1k" or bool(space.members and all(len(m) == 1 for m in space.members))


def _another_wnid(told: Told) -> str:
    """Names that carry another wnid than their label's, exactly."""
    wrong = {label: [c for c in classes if c != label] for label, classes in told.wnids.items()}
    pictures = sum(map(len, wrong.values()))
    if not pictures:
        return ""
    pairs = {label: Counter(classes).most_common(1)[0][0] for label, classes in sorted(wrong.items()) if classes}
    return f"{_named(pairs)} ({pictures} images, by the wnids in their names)"


def _named(pairs: dict[int, int]) -> str:
    wnids = imagenet_wnids()
    texts = [f"{wnids[folder]}/ holds {wnids[held]}'s" for folder, held in sorted(pairs.items())]
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return f"{len(texts)} class folders hold another class's images: {', '.join(texts[:SHOWN])}{more}"


def mislabelled_pairs(real: dict[int, list[frozenset[int]]]) -> dict[int, int]:
    """Class -> the class whose images its folder holds, by the reassessed labels."""
    held, sure = {}, set()
    for label, told in real.items():
        counts = Counter(c for classes in told for c in classes)
        other, most = counts.most_common(1)[0]
        if len(told) >= PAIRED and counts[label] < OWN * len(told) and most >= OTHERS * len(told):
            held[label] = other
            sure |= {label} if len(told) >= ALONE and most >= OTHERS_ALONE * len(told) else set()
    return {label: other for label, other in held.items() if label in sure or other in held}


@functools.cache
def _real() -> Sequence[frozenset[int]]:
    from bench.metrics.real import real_labels  # pandas takes a while: `bench list` answers without it

    return real_labels()


def _reassessed(number: int) -> frozenset[int]:
    return _real()[number - 1] if 0 < number <= len(_real()) else frozenset()
