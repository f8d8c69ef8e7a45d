"""A look at a data folder before any compute: layout, counts, unreadable files, sizes, unknown classes."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.datasets.base import UnreadableError
from bench.datasets.checkup import check_set, known_set
from bench.datasets.folder import FolderDataset, missing_classes, read_class_folders, read_folder
from bench.datasets.images import EXTENSIONS, read_image
from bench.datasets.labels import imagenet_index, imagenet_wnids
from bench.datasets.mislabelled import mislabelled_folders
from bench.datasets.report import SHOWN, DataReport
from bench.errors import DataError


def diagnose(root: Path, *, readers: int = 4) -> DataReport:
    """Open every picture under `root` once. Raises `DataError` where there is nothing to look at."""
    if not root.is_dir():
        raise DataError(f"doctor: {root} is not a folder")
    if name := known_set(root.resolve()):
        return check_set(name, root, readers)
    base = root / "val" if (root / "val").is_dir() else root
    dataset = _open(base)
    found = DataReport(base, _layout(base, dataset), len(dataset), len(set(dataset.targets)))
    found.problems += [*_folder_problems(base), *mislabelled_folders(dataset)]
    with ThreadPoolExecutor(readers) as pool:
        for item, size in zip(dataset.items, pool.map(_size, [i.path for i in dataset.items]), strict=True):
            if isinstance(size, str):
                found.problems.append(f"not scored, unreadable: {item.path.relative_to(base)}: {size}")
            else:
                found.sizes[size] += 1
    if dataset.labels == "imagenet1k" and (missing := missing_classes(dataset, 1000)):
        names = ", ".join(imagenet_wnids()[i] for i in missing[:SHOWN])
        found.notes.append(
            f"{len(missing)} of 1000 classes have no picture: {names}{' ...' if len(missing) > SHOWN else ''}"
        )
    if dataset.labels == "imagenet1k" and found.images != 50_000:
        found.notes.append(f"a subset: {found.images} of the validation set's 50000 images; results are labelled so")
    return found


def _open(base: Path) -> FolderDataset:
    try:
        return read_folder(base, "doctor", "imagenet1k")
    except DataError:
        return read_class_folders(base, "doctor")


def _layout(base: Path, dataset: FolderDataset) -> str:
    folders = [p for p in base.iterdir() if p.is_dir()]
    if any(re.fullmatch(r"n\d{8}", p.name) for p in folders):
        return "folders by wnid"
    if folders and all(p.name.isdecimal() for p in folders):
        return "folders 0..999, read as numbers"
    return "one folder a class, by sorted name" if dataset.labels != "imagenet1k" else "flat folder with ground truth"


def _folder_problems(base: Path) -> Iterator[str]:
    folders = sorted(p for p in base.iterdir() if p.is_dir())
    if any(re.fullmatch(r"n\d{8}", p.name) for p in folders):
        unknown = [p.name for p in folders if p.name not in imagenet_index()]
        if unknown:
            yield f"{len(unknown)} folders are not ImageNet-1k wnids and are left out: {', '.join(unknown[:SHOWN])}"
    for folder in folders:
        files = [p for p in folder.iterdir() if p.is_file()]
        if not any(p.suffix.lower() in EXTENSIONS for p in files):
            yield f"no pictures in {folder.name}/"
        if other := [p.name for p in files if p.suffix.lower() not in EXTENSIONS and not p.name.startswith(".")]:
            yield f"not pictures, left out: {folder.name}/{other[0]}" + (
                f" and {len(other) - 1} more" if other[1:] else ""
            )


def _size(path: Path) -> tuple[int, int] | str:
    try:
        return read_image(path).size
    except UnreadableError as error:
        return str(error)
