"""ImageNet and its kin on a disk: folders by wnid, by number, or the official flat archive with its ground truth."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from bench.datasets.base import Dataset, Item, names_of
from bench.datasets.images import EXTENSIONS, read_image
from bench.datasets.labels import imagenet_index
from bench.datasets.matlab import read_structs
from bench.errors import DataError

_WNID = re.compile(r"n\d{8}")


class FolderDataset(Dataset):
    """Pictures in files. `items` are sorted by id; ids are file stems, so that every layout gives the same ids."""

    def __init__(self, name: str, labels: str, items: Sequence[Item], *, as_stored: bool = False) -> None:
        self.items = sorted(_unique_ids(items), key=lambda item: item.image_id)
        super().__init__([i.image_id for i in self.items], [i.label for i in self.items])
        self.name, self.labels, self.as_stored = name, labels, as_stored

    def read(self, index: int) -> Image.Image:
        return read_image(self.items[index].path)

    def content(self) -> list[tuple[object, ...]]:
        return [(i.image_id, i.label, i.size) for i in self.items]


def _unique_ids(items: Sequence[Item]) -> Sequence[Item]:
    """Items whose ids are not (those of cue conflict are pieces of their stems) are called by their paths."""
    if len({item.image_id for item in items}) == len(items):
        return items
    names = names_of([item.path for item in items])
    return [Item(name, item.label, item.path, item.size) for name, item in zip(names, items, strict=True)]


def read_folder(root: Path, name: str, labels: str, *, as_stored: bool = False) -> FolderDataset:
    """The set under `root` in whichever layout it has. Raises `DataError` naming what was expected and found.

    Layouts: folders named by wnid (class order comes from the wnids); folders 0..999 read as numbers (ImageNet-V2);
    the flat official validation folder with the devkit or Kaggle's LOC_val_solution.csv beside it or above it.
    """
    if not root.is_dir():
        raise DataError(f"{name}: no folder {root}; name the set's folder with --data DIR, or see `bench data list`")
    folders = sorted(p for p in root.iterdir() if p.is_dir())
    if any(_WNID.fullmatch(p.name) for p in folders):
        index = imagenet_index()
        items = _class_items([p for p in folders if p.name in index], lambda folder: index[folder])
    elif folders and all(p.name.isdecimal() for p in folders):
        items = _class_items(folders, int)
    elif truth := _ground_truth(root):
        items = [Item(p.stem, truth[p.stem], p, p.stat().st_size) for p in _pictures(root) if p.stem in truth]
    else:
        raise DataError(
            f"{name}: {root} has no folders by wnid (n01440764, ...), no folders 0..999, and no ground truth "
            f"for a flat folder (LOC_val_solution.csv or ILSVRC2012_devkit_t12); found {_glimpse(root)}; "
            f"`bench doctor {root}` looks closer"
        )
    if not items:
        raise DataError(f"{name}: no pictures under {root}; `bench doctor {root}` looks closer")
    return FolderDataset(name, labels, items, as_stored=as_stored)


def read_class_folders(root: Path, name: str) -> FolderDataset:
    """Any ImageFolder: by wnid if the folders are wnids, otherwise labels are positions among the sorted folders."""
    folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    if not folders:
        raise DataError(f"{name}: expected one folder a class under {root}, found {_glimpse(root)}")
    if all(_WNID.fullmatch(p.name) or p.name.isdecimal() for p in folders):
        return read_folder(root, name, "imagenet1k")
    order = {folder.name: index for index, folder in enumerate(folders)}
    return FolderDataset(name, f"folder{len(folders)}", _class_items(folders, order.__getitem__))


def missing_classes(dataset: Dataset, classes: int) -> list[int]:
    """Classes of the label space that no picture has."""
    return sorted(set(range(classes)) - set(dataset.targets))


def _class_items(folders: Sequence[Path], label: Callable[[str], int]) -> list[Item]:
    return [Item(p.stem, label(d.name), p, p.stat().st_size) for d in folders for p in _pictures(d)]


def _pictures(folder: Path) -> list[Path]:
    """The files of a folder that look like pictures, sorted."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith("."))


def _glimpse(root: Path) -> str:
    names = sorted(p.name for p in root.iterdir())[:5] if root.is_dir() else []
    return ", ".join(names) or "nothing"


def _ground_truth(root: Path) -> dict[str, int]:
    """Label by file stem, from Kaggle's csv or the devkit, in `root` or up to two folders above it."""
    for place in (root, root.parent, root.parent.parent):
        if (table := place / "LOC_val_solution.csv").is_file():
            return _kaggle(table)
        for devkit in (place / "ILSVRC2012_devkit_t12" / "data", place / "data", place):
            truth, meta = devkit / "ILSVRC2012_validation_ground_truth.txt", devkit / "meta.mat"
            if truth.is_file() and meta.is_file():
                return _devkit(truth, meta)
    return {}


def _kaggle(table: Path) -> dict[str, int]:
    index = imagenet_index()
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return {row["ImageId"]: index[row["PredictionString"].split()[0]] for row in csv.DictReader(file)}
    except (KeyError, IndexError, AttributeError, ValueError, csv.Error) as error:
        raise DataError(
            f"{table}: expected columns ImageId, PredictionString ('n03995372 85 1 499 272'): {error}"
        ) from None


def _devkit(truth: Path, meta: Path) -> dict[str, int]:
    """The devkit numbers classes in its own order (ILSVRC2012_ID 1..1000), which meta.mat maps to wnids."""
    wnid_of, order = _synsets(meta), imagenet_index()
    try:
        numbers = [int(line) for line in truth.read_text(encoding="utf-8").split()]
        return {f"ILSVRC2012_val_{i:08d}": order[wnid_of[n]] for i, n in enumerate(numbers, 1)}
    except (ValueError, KeyError) as error:
        raise DataError(f"{truth}: expected one ILSVRC2012_ID of {meta.name} a line, found {error!r}") from None


def _synsets(meta: Path) -> dict[int, str]:
    try:
        rows = [(s["ILSVRC2012_ID"], s["WNID"]) for s in read_structs(meta, "synsets")]
        return {int(number[0]): wnid for number, wnid in rows if isinstance(number, tuple) and isinstance(wnid, str)}
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise DataError(f"{meta}: expected the devkit's synsets, found {error}") from None
