"""Images given in memory: tensors, a torch Dataset, a DataLoader; kept in the cache so that a run can be repeated.

Tensors are images as the network is to see them, and are never resized or cropped; PIL images are photographs,
which the model's input prepares. Floats that lie between the 256 levels of eight bits are kept as they are.
"""

import filecmp
import hashlib
import json
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.datasets.base import Dataset
from bench.datasets.caller import as_array, as_label, check_order, pairs, picture_bytes, remarks_on, repeated, shuffles
from bench.datasets.content import Loaded, content_hash
from bench.datasets.labels import imagenet_index
from bench.errors import DataError, UsageError
from bench.pixels import DARKEST, to_rgb
from model_zoo.cache import cache_dir
from model_zoo.schema import SchemaError, loads, parse

NAME = "memory"
PICTURES, ABOUT = "pictures.npy", "about.json"

EIGHT_BITS = 0.001
"""Tolerance, in levels, for floats that count as 8-bit values (float32 is that exact)."""


@dataclass(frozen=True)
class AboutGiven:
    """Labels, their number of classes, and remarks on the images' conversion."""

    space: str
    labels: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """Stored images in memory: their folder as for `--data`, their set, and their labels."""

    dataset: str
    folder: Path
    labels: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The run's message about them."""
        seen = f"{len(self.labels)} images of {len(set(self.labels))} classes, kept in {self.folder}"
        return [seen, *self.notes]

    @property
    def data(self) -> str:
        """The value of `--data`."""
        return f"{self.dataset}={self.folder}"


class GivenDataset(Dataset):
    """Images of one size, used as they are, uint8 or float32; the manifest is a hash of their bytes and labels."""

    as_stored = exact = True

    def __init__(self, folder: Path) -> None:
        try:
            self._pictures = np.load(folder / PICTURES, mmap_mode="r", allow_pickle=False)
            about: AboutGiven = parse(AboutGiven, loads((folder / ABOUT).read_bytes()), ABOUT)
        except (OSError, ValueError, SchemaError) as error:
            raise DataError(f"{NAME}: {folder} does not hold images given in memory ({error})") from None
        if self._pictures.dtype not in (np.uint8, np.float32) or self._pictures.shape[:1] + self._pictures.shape[
            3:
        ] != (len(about.labels), 3):
            raise DataError(f"{NAME}: {folder / PICTURES} holds {self._pictures.dtype} {self._pictures.shape}")
        self.name, self.labels, self.notes = NAME, about.space, about.notes
        height, width = self._pictures.shape[1:3]
        self.side = height if height == width else 0
        super().__init__([f"{i:07d}" for i in range(len(about.labels))], about.labels)

    def read(self, index: int) -> Image.Image:
        return self.load(index).image

    def load(self, index: int) -> Loaded:
        picture = np.ascontiguousarray(self._pictures[index])
        content = content_hash(picture.tobytes())
        if picture.dtype == np.uint8:
            return Loaded(Image.fromarray(picture), content)
        return Loaded(Image.fromarray(np.rint(picture * 255).astype(np.uint8)), content, picture)

    def content(self) -> list[tuple[object, ...]]:
        return [
            (image_id, target, hashlib.sha256(picture.tobytes()).hexdigest())
            for image_id, target, picture in zip(self.ids, self.targets, self._pictures, strict=True)
        ]


def keep(data: object, classes: int, space: str, own: Collection[tuple[str, ...]] = ()) -> Given:
    """Keep `data` for models of `classes` in the label space `space`, which call their classes as in `own`.

    A pair (images, labels) of tensors, arrays or lists, a Dataset, a DataLoader, or any iterable of (image, label) or
    of batches of them. Raises `UsageError` with what to pass instead.
    """
    pictures: list[Any] = []
    labels: list[int] = []
    for picture, label in pairs(data):
        pictures.append(picture)
        labels.append(as_label(label, classes))
    if not pictures:
        raise UsageError("data: no images in it")
    check_order(data, labels, space, own)
    hashes = [content_hash(picture_bytes(picture)) for picture in pictures]
    notes = (*remarks_on(data), *repeated(hashes, labels))
    if shuffles(data):
        order = sorted(range(len(labels)), key=lambda i: (hashes[i], labels[i]))
        pictures, labels = [pictures[i] for i in order], [labels[i] for i in order]
    if all(isinstance(picture, Image.Image) for picture in pictures):
        return _keep_photographs(pictures, labels, classes, space, notes)
    return _keep_levels(pictures, labels, space, notes)


def _keep_levels(pictures: list[Any], labels: list[int], space: str, notes: tuple[str, ...]) -> Given:
    found = [_array(picture) for picture in pictures]
    if len({array.dtype == np.uint8 for array in found}) > 1:
        found = [array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array for array in found]
    shapes = {array.shape for array in found}
    if len(shapes) != 1:
        raise UsageError(f"data: images of {len(shapes)} sizes; give them as PIL images, which the input prepares")
    height, width, _ = found[0].shape
    if height != width:
        raise UsageError(
            f"data: images of {height} x {width}; a network's input is square: crop or resize them, or give them as "
            "PIL images, which the input prepares"
        )
    whole = _levels(np.stack(found))
    if 0 < (most := float(whole.max()) / (255 if whole.dtype == np.uint8 else 1)) < DARKEST:
        raise UsageError(
            f"data: nothing in the images is brighter than {most:.3g} of [0, 1]: they were divided by 255 twice, or "
            "made uint8 before they were multiplied by 255"
        )
    if whole.dtype != np.uint8:
        notes = (*notes, "the images have values between the 256 levels of 8 bits, and are used as they are (float32)")
    digest = hashlib.sha256(whole.tobytes() + repr((labels, space)).encode()).hexdigest()[:16]
    folder = _made(cache_dir() / NAME / digest)
    about = {"space": space, "labels": labels, "notes": notes}
    _put(folder / PICTURES, lambda part: np.save(part, whole))
    _put(folder / ABOUT, lambda part: part.write_text(json.dumps(about), encoding="utf-8"))
    return Given(NAME, folder, tuple(labels), notes)


def _array(picture: Any) -> NDArray[Any]:
    """Return an image as [h, w, 3], uint8 or float in [0, 1]."""
    array = as_array(picture)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3:
        raise UsageError(f"data: an image is [3, h, w] or [h, w, 3] in RGB, found {list(array.shape)}")
    if array.dtype == np.uint8:
        return array
    low, high = float(array.min()), float(array.max())
    if not np.issubdtype(array.dtype, np.floating) or not (low >= 0 and high <= 1):
        raise UsageError(
            f"data: images are uint8, or float in [0, 1]; found {array.dtype} from {low:.3g} to {high:.3g}: take the "
            "Normalize out of the data's transform and give mean= and std= here, since attacks need budgets in [0, 1]"
        )
    return array


def _levels(whole: NDArray[Any]) -> NDArray[Any]:
    """Return all images as uint8 if that is exact, else as float32."""
    if whole.dtype == np.uint8:
        return whole
    exact = whole.astype(np.float32)
    levels = np.rint(exact * 255.0)
    eight = bool(np.abs(exact * 255.0 - levels).max() <= EIGHT_BITS)
    return levels.astype(np.uint8) if eight else exact


def _keep_photographs(
    pictures: list[Image.Image], labels: list[int], classes: int, space: str, notes: tuple[str, ...]
) -> Given:
    """Store them in one folder per class, so that the model's own input prepares them."""
    made, photographs = hashlib.sha256(repr((labels, space)).encode()), [to_rgb(picture) for picture in pictures]
    for picture in photographs:
        made.update(repr(picture.size).encode() + picture.tobytes())
    folder = cache_dir() / NAME / made.hexdigest()[:16]
    wnids = sorted(imagenet_index(), key=imagenet_index().__getitem__) if space == "imagenet1k" else []
    names = wnids or [f"class{number:05d}" for number in range(classes)]
    for name in names:
        _made(folder / name)
    for index, (picture, label) in enumerate(zip(photographs, labels, strict=True)):
        _put(folder / names[label] / f"{index:07d}.png", picture.save)
    return Given("folder", folder, tuple(labels), notes)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"data: images given in memory are kept in a folder, so that the run can be repeated, and {folder} cannot "
            f"be made ({error.strerror}); next: set BENCH_CACHE to a folder that can be written to"
        ) from None
    return folder


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole, and leave an equal one as it is: other processes may be reading it, or writing the same."""
    part = cache_dir() / NAME / f".{secrets.token_hex(8)}{path.suffix}"
    try:
        write(part)
        if not (path.is_file() and filecmp.cmp(part, path, shallow=False)):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
