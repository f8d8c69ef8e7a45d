"""ImageNet and similar sets on disk: folders by wnid, number or class name, or the flat archive with its ground
truth."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bench.datasets.base import Dataset, Item, names_of
from bench.datasets.classes import match_names, wnid_in
from bench.datasets.content import FileState, Loaded, content_hash, read_whole
from bench.datasets.images import read_image
from bench.datasets.labels import imagenet_index
from bench.datasets.listing import LeftOut, Listing, pictures_within
from bench.datasets.proof import BY_NAMES, BY_NUMBERS, BY_POSITION, BY_WNIDS
from bench.datasets.truth import EXPECTED, find_truth
from bench.errors import DataError
from bench.naming import picture_id

AS_NUMBERS = (
    "class folders are counted as numbers (2 before 10); torchvision's ImageFolder sorts them as text (10 before 2): "
    "for a model that was trained with it, rename them in its order"
)
"""What is said of ten and more folders by number, of which nobody knows how a model's training counted them."""

SHOWN = 5
"""Number of names shown in an error."""


class FolderDataset(Dataset):
    """Images in files. `items` are sorted by id; ids are file stems, so that every layout gives the same ids."""

    def __init__(self, name: str, labels: str, items: Sequence[Item], *, as_stored: bool = False) -> None:
        self.items = sorted(_unique_ids(items), key=lambda item: item.image_id)
        super().__init__([i.image_id for i in self.items], [i.label for i in self.items])
        self.name, self.labels, self.as_stored = name, labels, as_stored
        self.states = [FileState.at(item.path) for item in self.items]

    @property
    def stems(self) -> list[str]:
        return [item.path.stem for item in self.items]

    def read(self, index: int) -> Image.Image:
        return self.load(index).image

    def load(self, index: int) -> Loaded:
        path = self.items[index].path
        data = read_whole(path, self.states[index])
        return Loaded(read_image(io.BytesIO(data), str(path)), content_hash(data))

    def hash_of(self, index: int) -> str:
        return content_hash(read_whole(self.items[index].path, self.states[index]))

    def state(self, index: int) -> FileState | None:
        return self.states[index]

    def content(self) -> list[tuple[object, ...]]:
        return [(i.image_id, i.label, i.size) for i in self.items]


def _unique_ids(items: Sequence[Item]) -> Sequence[Item]:
    """Set paths as ids for items with clashing ids (those of cue conflict are parts of their stems)."""
    if len({item.image_id for item in items}) == len(items):
        return items
    names = names_of([item.path for item in items])
    return [Item(name, item.label, item.path, item.size) for name, item in zip(names, items, strict=True)]


@dataclass(frozen=True)
class ClassFolders:
    """Classes from folder names: the label of each, how it is known (`proof`), and folders that are not classes."""

    proof: str
    labels: Mapping[str, int]
    strangers: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> "ClassFolders":
        """Read wnids if there are any, numbers if all are, otherwise ImageNet's class names."""
        index = imagenet_index()
        if wnids := {name: wnid for name in names if (wnid := wnid_in(name))}:
            known = {name: index[wnid] for name, wnid in wnids.items() if wnid in index}
            return cls(BY_WNIDS, known, tuple(n for n in names if n not in known))
        if names and all(name.isdecimal() and name.isascii() for name in names):
            return cls(BY_NUMBERS, {name: int(name) for name in names}, ())
        matched = dict(zip(names, match_names(names), strict=True))
        known = {name: label for name, label in matched.items() if label is not None}
        return cls(BY_NAMES, known, tuple(n for n in names if n not in known))


def read_folder(root: Path, name: str, labels: str, *, as_stored: bool = False) -> FolderDataset:
    """The set under `root` in whichever layout it has. Raises `DataError` naming what was expected and found.

    Layouts: folders named by wnid, by number or by ImageNet's class names; a flat folder with its ground truth (see
    `truth`). What is left out is counted in `notes`; `judgement` decides whether the labels are proved.
    """
    if not root.is_dir():
        raise DataError(f"{name}: no folder {root}; name the set's folder with --data DIR, or see `bench data list`")
    look, left = Listing.at(root), LeftOut()
    left.take(look.left_out)
    classes = ClassFolders.of(look.folders)
    items, proof = _class_items(root, classes, left), classes.proof
    if look.pictures:
        flat, source, by_number = _flat_items(look, left, sorted_too=bool(items), name=name)
        proof = proof if items else BY_NUMBERS if by_number else source
        items += flat
    if not items:
        raise DataError(_nothing(look, classes, name))
    dataset = FolderDataset(name, labels, items, as_stored=as_stored)
    dataset.proof, dataset.notes = proof, left.lines()
    return dataset


def _class_items(root: Path, classes: ClassFolders, left: LeftOut) -> list[Item]:
    """Return the images of class folders; other folders are left out, which is an error if classes go by name."""
    items = []
    for folder, label in classes.labels.items():
        paths = list(pictures_within(root / folder, left))
        items += [_item(path, label) for path in paths]
        if len({path.with_suffix("") for path in paths}) < len(paths):
            twice = next(n for n, c in Counter(path.with_suffix("") for path in paths).items() if c > 1)
            left.add("classes have files that differ in their ending alone, which all count", twice.relative_to(root))
    if strangers := [name for name in classes.strangers if items and any(pictures_within(root / name, LeftOut()))]:
        if classes.proof == BY_NAMES:
            raise DataError(
                f"{root}: {len(strangers)} of {len(classes.labels) + len(strangers)} class folders have names that are "
                f"not ImageNet's, or not one class's alone: {', '.join(strangers[:SHOWN])}; name them by wnid"
            )
        left.add("folders of images whose names are not wnids of ImageNet-1k", strangers[0], len(strangers))
    _refuse_twice(items, root, classes.labels)
    return items


def _refuse_twice(items: Sequence[Item], root: Path, labels: Mapping[str, int]) -> None:
    """Raise `DataError` where two folders of one class hold images of one name, which would count twice."""
    shared = {label for label, folders in Counter(labels.values()).items() if folders > 1}
    seen: dict[tuple[int, str], str] = {}
    for item in items if shared else ():
        folder = item.path.relative_to(root).parts[0]
        other = seen.setdefault((item.label, item.image_id), folder)
        if item.label in shared and other != folder:
            raise DataError(
                f"{root}: {other}/ and {folder}/ are one class, and both hold {item.image_id}: the same images would "
                "count twice; keep one of the folders, or give the images different names"
            )


def _item(path: Path, label: int) -> Item:
    return Item.at(picture_id(path.stem), label, path)


def _flat_items(look: Listing, left: LeftOut, *, sorted_too: bool, name: str) -> tuple[list[Item], str, bool]:
    """Return the labelled images of a flat folder, and its ground truth. Raises `DataError` without one: a part of a
    half-sorted set is not the set."""
    paths = [look.folder / picture for picture in look.pictures]
    truth = find_truth(look.folder, [picture_id(path.stem) for path in paths])
    if truth is None:
        beside = " beside class folders (half-sorted?)" if sorted_too else ""
        raise DataError(
            f"{name}: {len(paths)} images lie flat{beside} in {look.folder} ({look.pictures[0]}, ...) and nothing "
            f"labels them: put their ground truth there or above it ({EXPECTED}), or sort them into folders by wnid"
        )
    labelled = [path for path in paths if picture_id(path.stem) in truth.labels]
    if unlabelled := [path for path in paths if picture_id(path.stem) not in truth.labels]:
        left.add(f"images that {truth.file.name} does not label", unlabelled[0].name, len(unlabelled))
    return [_item(p, truth.labels[picture_id(p.stem)]) for p in labelled], f"ground truth {truth.file}", truth.by_number


def _nothing(look: Listing, classes: ClassFolders, name: str) -> str:
    if classes.labels:
        return f"{name}: no images under {look.folder}; `bench doctor {look.folder}` looks closer"
    found = ", ".join(sorted((*look.folders, *look.others))[:SHOWN]) or "nothing"
    return (
        f"{name}: {look.folder} has no folders by wnid (n01440764, ...), no folders 0..999, none called as ImageNet's "
        f"classes, and no ground truth for a flat folder ({EXPECTED}); found {found}; "
        f"`bench doctor {look.folder}` looks closer"
    )


def read_class_folders(root: Path, name: str) -> FolderDataset:
    """Any ImageFolder. Labels are ImageNet's where the folders' names prove it (wnids, ImageNet's class names, or
    numbers of which its images' names tell the same); otherwise the folders are the user's own classes, in
    torchvision's order (numbers, which have to be 0..n-1, as numbers)."""
    look = Listing.at(root) if root.is_dir() else None
    if look is None or not look.folders:
        found = ", ".join(sorted((*look.pictures, *look.others))[:SHOWN]) if look else "nothing"
        raise DataError(f"{name}: expected one folder a class under {root}, found {found or 'nothing'}")
    classes = ClassFolders.of(look.folders)
    if classes.proof == BY_WNIDS or (classes.proof == BY_NAMES and not classes.strangers):
        return read_folder(root, name, "imagenet1k")
    left = LeftOut()
    left.take(look.left_out)
    order = list(look.folders)
    if classes.proof == BY_NUMBERS:
        order = sorted(order, key=int)
        _check_count(order, root, name)
    own = ClassFolders(BY_POSITION, {folder: label for label, folder in enumerate(order)}, ())
    dataset = FolderDataset(name, f"folder{len(order)}", _class_items(root, own, left))
    if look.pictures:
        left.add("images beside the class folders", look.pictures[0], len(look.pictures))
    if not len(dataset):
        raise DataError(f"{name}: no images in the folders under {root}; `bench doctor {root}` looks closer")
    dataset.proof, dataset.notes, dataset.folders = BY_POSITION, left.lines(), tuple(order)
    if order != sorted(order):
        dataset.notes += (AS_NUMBERS,)
    return dataset


def _check_count(order: Sequence[str], root: Path, name: str) -> None:
    """Raise `DataError` unless the folders are 0..n-1: of 1..n nobody knows whether 1 is the first class or the second,
    and of numbers with gaps, whether a model has the classes between them."""
    if [int(folder) for folder in order] != list(range(len(order))):
        raise DataError(
            f"{name}: the class folders under {root} are the numbers {', '.join(order[:SHOWN])}"
            f"{', ...' if len(order) > SHOWN else ''}, expected 0..{len(order) - 1}, each once: labels count from 0; "
            "rename them so where the first is the model's first class, or make empty folders for classes without "
            "pictures"
        )


def missing_classes(dataset: Dataset, classes: int) -> list[int]:
    """Return the classes of the label space without images."""
    return sorted(set(range(classes)) - set(dataset.targets))
