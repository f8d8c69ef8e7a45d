"""Information in an image's own name: its id, its class, its set and its split."""

import re
from collections.abc import Sequence

WNID = r"n\d{8}"
"""Pattern of a WordNet id, ImageNet's name of a class."""

VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})")
"""Id of an image of ImageNet's validation set, and its number from 1."""

TRAINING, TEST = "training", "test"
"""Kinds of images that are not of a validation set."""

_SPLITS = {TRAINING: re.compile(rf"{WNID}_\d+", re.IGNORECASE), TEST: re.compile(r"ILSVRC2012_test_\d{8}")}
_AFTER = re.compile(rf"(?<=.)[_-]({WNID})$", re.IGNORECASE)
_BEFORE = re.compile(rf"({WNID})(?=[_.-])", re.IGNORECASE)


def picture_id(stem: str) -> str:
    """The id of an image by its file's stem: without the wnid that some releases add at its end.

    >>> picture_id("ILSVRC2012_val_00000262_n01443537")
    'ILSVRC2012_val_00000262'
    """
    return _AFTER.sub("", stem)


def told_wnid(stem: str) -> str:
    """The wnid that an image's name begins or ends with; empty where it tells none.

    >>> told_wnid("N01443537_12"), told_wnid("ILSVRC2012_val_00000262_n01443537"), told_wnid("dog_1")
    ('n01443537', 'n01443537', '')
    """
    found = _AFTER.search(stem) or _BEFORE.match(stem)
    return found[1].lower() if found else ""


def split_of(stem: str) -> str:
    """`training` or `test` where an image's name is one of ImageNet's other splits; else empty.

    >>> split_of("n01443537_12"), split_of("n01443537_goldfish"), split_of("ILSVRC2012_test_00000001")
    ('training', '', 'test')
    """
    return next((split for split, form in _SPLITS.items() if form.fullmatch(picture_id(stem))), "")


_LABELS = re.compile(r"-(\d+(?:\+\d+)*)$")


def with_labels(image_id: str, labels: Sequence[int]) -> str:
    """Return the id of an image with several correct labels: `NAME-207+208`; unchanged without `labels`."""
    return f"{image_id}-{'+'.join(map(str, labels))}" if labels else image_id


def labels_in(image_id: str) -> frozenset[int]:
    """Return the labels that `with_labels` wrote; empty if the id has none.

    >>> sorted(labels_in("a-207+208")), labels_in("a")
    ([207, 208], frozenset())
    """
    found = _LABELS.search(image_id)
    return frozenset(map(int, found[1].split("+"))) if found else frozenset()


def frame_id(film: str, frame: int) -> str:
    """Return the id of a frame: `FILM#007`."""
    return f"{film}#{frame:03d}"


def film_of(image_id: str) -> str:
    """Return the film of a frame's id."""
    return image_id.rpartition("#")[0]


def frame_of(image_id: str) -> int:
    """Return a frame's number in its film, from its id; -1 for another image's."""
    number = image_id.rpartition("#")[2]
    return int(number) if number.isdecimal() else -1


_SHARD = re.compile(r"(?:^|[^a-z])(train|training|val|valid|validation|test|dev)(?=$|[^a-z])")
_CALLED = {"train": TRAINING, "training": TRAINING, "test": TEST}


def split_in(name: str) -> str:
    """The split that a folder's or shard's name tells: `training`, `test`, `validation`, or empty.

    >>> split_in("imagenet1k-train-0001.tar"), split_in("validation-00000-of-00014.parquet"), split_in("trainer.tar")
    ('training', 'validation', '')
    """
    found = _SHARD.search(name.lower())
    return _CALLED.get(found[1], "validation") if found else ""
