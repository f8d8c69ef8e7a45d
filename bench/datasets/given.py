"""Pictures given in memory: tensors, a torch Dataset, a DataLoader; kept in the cache so that a run can be repeated.

Tensors are pictures as the network is to see them, and are never resized or cropped; PIL pictures are photographs,
which the model's input prepares. A picture is eight bits a channel here: what lies between is rounded, and said.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.datasets.base import Dataset, Picture
from bench.datasets.labels import imagenet_index
from bench.errors import DataError, UsageError
from model_zoo.cache import cache_dir
from model_zoo.schema import SchemaError, loads, parse

NAME = "memory"
PICTURES, ABOUT = "pictures.npy", "about.json"

EIGHT_BITS = 0.02
"""Of a level: by how much floats may lie beside the levels and be called eight-bit pictures."""


@dataclass(frozen=True)
class AboutGiven:
    """Labels, how many classes they count, and what happened to the pictures on their way."""

    space: str
    labels: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """Where the pictures are kept, as `--data` names it, in which set, and their labels."""

    dataset: str
    folder: Path
    labels: tuple[int, ...]
    side: int = 0
    """Pixels of a side, of pictures that are shown as they are."""
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What a run says of it."""
        seen = f"{len(self.labels)} pictures of {len(set(self.labels))} classes, kept in {self.folder}"
        return [seen, *self.notes]

    @property
    def data(self) -> str:
        """What `--data` says."""
        return f"{self.dataset}={self.folder}"


class GivenDataset(Dataset):
    """Pictures of one size, shown as they are; the manifest is a hash of their bytes and labels."""

    as_stored = True

    def __init__(self, folder: Path) -> None:
        try:
            self._pictures = np.load(folder / PICTURES, mmap_mode="r", allow_pickle=False)
            about: AboutGiven = parse(AboutGiven, loads((folder / ABOUT).read_bytes()), ABOUT)
        except (OSError, ValueError, SchemaError) as error:
            raise DataError(f"{NAME}: {folder} does not hold pictures given in memory ({error})") from None
        if self._pictures.dtype != np.uint8 or self._pictures.shape[:1] + self._pictures.shape[3:] != (
            len(about.labels),
            3,
        ):
            raise DataError(f"{NAME}: {folder / PICTURES} holds {self._pictures.dtype} {self._pictures.shape}")
        self.name, self.labels, self.notes = NAME, about.space, about.notes
        super().__init__([f"{i:07d}" for i in range(len(about.labels))], about.labels)

    def read(self, index: int) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(self._pictures[index]))

    def content(self) -> list[tuple[object, ...]]:
        return [
            (image_id, target, hashlib.sha256(picture.tobytes()).hexdigest())
            for image_id, target, picture in zip(self.ids, self.targets, self._pictures, strict=True)
        ]


def keep(data: object, classes: int, space: str) -> Given:
    """Keep `data` for a model of `classes` in the label space `space`.

    A pair of tensors (pictures, labels), a Dataset, a DataLoader, or any iterable of (picture, label) or of batches of
    them. Raises `UsageError` with what to pass instead.
    """
    pictures: list[Any] = []
    labels: list[int] = []
    for picture, label in _pairs(data):
        pictures.append(picture)
        labels.append(_label(label, classes))
    if not pictures:
        raise UsageError("data: no pictures in it")
    if all(isinstance(picture, Image.Image) for picture in pictures):
        return _keep_photographs(pictures, labels, classes, space)
    return _keep_levels(pictures, labels, space)


def _pairs(data: Any) -> Iterator[tuple[Any, Any]]:
    """(picture, label), one at a time, of whatever was given."""
    if isinstance(data, tuple | list) and len(data) == 2 and getattr(data[0], "ndim", 0) == 4:
        if len(data[0]) != len(data[1]):
            raise UsageError(f"data: {len(data[0])} pictures and {len(data[1])} labels")
        yield from zip(data[0], data[1], strict=True)
        return
    from torch.utils.data import IterableDataset  # tables of data sets do not wait for torch

    walked = isinstance(data, Iterable) and (isinstance(data, IterableDataset) or not hasattr(data, "__getitem__"))
    items = data if walked else _by_index(data)
    for item in items:
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise UsageError(f"data: expected (picture, label), found a {type(item).__name__}")
        picture, label = item[0], item[1]
        if getattr(picture, "ndim", 0) == 4:
            yield from zip(picture, label, strict=True)
        else:
            yield picture, label


def _by_index(data: Any) -> Iterator[Any]:
    try:
        count = len(data)
    except TypeError:
        kind = type(data).__name__
        raise UsageError(
            f"data: a folder, a torch Dataset, a DataLoader or a pair of tensors, found a {kind}"
        ) from None
    return (data[i] for i in range(count))


def _label(label: Any, classes: int) -> int:
    value = np.asarray(label).reshape(-1).tolist()
    value = value[0] if len(value) == 1 else value
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"data: a label is a class's number, found {value!r} (one-hot? pass labels.argmax(1))")
    if not 0 <= value < classes:
        raise UsageError(f"data: label {value}, where the model has the classes 0..{classes - 1}")
    return value


def _keep_levels(pictures: list[Any], labels: list[int], space: str) -> Given:
    found = [_levels(picture) for picture in pictures]
    shapes = {picture.shape for picture, _ in found}
    if len(shapes) != 1:
        raise UsageError(f"data: pictures of {len(shapes)} sizes; give them as PIL images, which the input prepares")
    off = max(error for _, error in found)
    notes = (f"pictures rounded to 8 bits a channel (by up to {off:.2g} levels)",) if off > EIGHT_BITS else ()
    whole = np.stack([picture for picture, _ in found])
    digest = hashlib.sha256(whole.tobytes() + repr((labels, space)).encode()).hexdigest()[:16]
    folder = cache_dir() / NAME / digest
    folder.mkdir(parents=True, exist_ok=True)
    about = {"space": space, "labels": labels, "notes": notes}
    np.save(folder / PICTURES, whole)
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return Given(NAME, folder, tuple(labels), whole.shape[1] if whole.shape[1] == whole.shape[2] else 0, notes)


def _levels(picture: Any) -> tuple[Picture, float]:
    """A picture as uint8 [h, w, 3], and the largest distance in levels of what was rounded."""
    array = np.asarray(picture.cpu() if hasattr(picture, "cpu") else picture)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3:
        raise UsageError(f"data: a picture is [3, h, w] or [h, w, 3] in RGB, found {list(array.shape)}")
    if array.dtype == np.uint8:
        return array, 0.0
    low, high = float(array.min()), float(array.max())
    if not np.issubdtype(array.dtype, np.floating) or not (low >= 0 and high <= 1):
        raise UsageError(
            f"data: pictures are uint8, or float in [0, 1]; found {array.dtype} from {low:.3g} to {high:.3g}: take the "
            "Normalize out of the data's transform and say mean= and std= here, since attacks need budgets in [0, 1]"
        )
    levels = np.rint(array * 255.0)
    return levels.astype(np.uint8), float(np.abs(array * 255.0 - levels).max())


def _keep_photographs(pictures: list[Image.Image], labels: list[int], classes: int, space: str) -> Given:
    """Keep them as a folder a class, so that the model's own input prepares them."""
    made = hashlib.sha256(repr((labels, space)).encode())
    for picture in pictures:
        made.update(repr(picture.size).encode() + picture.convert("RGB").tobytes())
    folder = cache_dir() / NAME / made.hexdigest()[:16]
    wnids = sorted(imagenet_index(), key=imagenet_index().__getitem__) if space == "imagenet1k" else []
    names = wnids or [f"class{number:05d}" for number in range(classes)]
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        picture.convert("RGB").save(folder / names[label] / f"{index:07d}.png")
    return Given("folder", folder, tuple(labels))
