"""Where the user's data lies, and how a set is opened there."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.datasets.base import Dataset
from bench.datasets.info import FoundPictures, SetPlace
from bench.datasets.known import SETS
from bench.datasets.labels import label_space
from bench.datasets.locate import find_sets, place_of
from bench.datasets.proof import refusal, remark, told_of
from bench.errors import DataError, UsageError
from bench.metrics.selection import Selection

__all__ = ["SETS", "DataRoots", "open_dataset", "parse_roots"]


@dataclass(frozen=True)
class DataRoots:
    """Where the user's data lies: one folder a set, and a common root such as `BENCH_DATA`."""

    own: Mapping[str, Path]
    common: Path | None = None
    _finds: dict[Path, list[FoundPictures]] = field(default_factory=dict, compare=False, repr=False)

    def finds(self, root: Path) -> list[FoundPictures]:
        """What lies under `root`, looked for once."""
        if root not in self._finds:
            self._finds[root] = find_sets(root)
        return self._finds[root]

    def place(self, name: str) -> SetPlace:
        """Where set `name` lies. Raises `DataError` saying what lies there instead, and how to name it."""
        folder = SETS[name].folder
        root = self.own.get(folder, self.common)
        if root is None:
            raise DataError(
                f"{folder}: no data folder given; add --data DIR (or --data {folder}=DIR), "
                f"or set BENCH_DATA to a folder that holds {folder}/"
            )
        # the set's own folder first: the rest of a large root need not be looked through
        inside = root / folder
        whole = folder in self.own or SETS[folder].parts or not inside.is_dir()
        if not whole and any(found.name == folder for found in self.finds(inside)):
            return place_of(folder, inside, self.finds(inside), own=False)
        return place_of(folder, root, self.finds(root), own=folder in self.own)

    def holds(self, name: str) -> bool:
        """Whether set `name` lies here, or needs no folder."""
        if SETS[name].generated:
            return True
        try:
            return bool(self.place(name).found)
        except DataError:
            return False


def parse_roots(text: str | None, environment: str | None) -> DataRoots:
    """`DIR` or `NAME=DIR,NAME=DIR` as typed after --data, with `BENCH_DATA` for what it does not name.

    A comma or an equals sign may be part of a path: a comma parts two entries where `NAME=` of a known set follows it,
    or where the text before it is a folder; an equals sign where a known set's name stands before it.
    Raises `UsageError` for an unknown set, `DataError` for what is no folder.
    """
    own: dict[str, Path] = {}
    common = Path(environment) if environment else None
    for part in _entries(text or ""):
        name, equals, place = part.partition("=")
        if equals and name in SETS:
            own[name] = Path(place)
        elif equals and not Path(part).is_dir() and re.fullmatch(r"[\w.-]+", name):
            raise UsageError.unknown("dataset", name, SETS)
        else:
            common = Path(part)
    for folder_given in [*own.values(), *([common] if common else [])]:
        if not folder_given.is_dir():
            raise DataError(f"--data: {folder_given} is not a folder; see `bench data list`")
    return DataRoots(own, common)


def _entries(text: str) -> list[str]:
    """The entries of a --data text: pieces at commas, joined again where a comma is part of a path."""
    entries: list[str] = []
    for piece in text.split(","):
        begins = piece.partition("=")[0] in SETS and "=" in piece
        whole = f"{entries[-1]},{piece}" if entries else piece
        if entries and not begins and (Path(_path_of(whole)).is_dir() or not Path(_path_of(entries[-1])).is_dir()):
            entries[-1] = whole
        else:
            entries.append(piece)
    return [entry for entry in entries if entry]


def _path_of(entry: str) -> str:
    name, equals, place = entry.partition("=")
    return place if equals and name in SETS else entry


def open_dataset(name: str, roots: DataRoots, part: str = "") -> Dataset:
    """The data set called `name` (or its `part`), from the user's folders.

    Raises `UsageError`, or `DataError` where it is not there or its labels are not proved.
    """
    if name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)
    info = SETS[name]
    dataset = info.open(SetPlace(Path()) if info.generated else roots.place(name), part)
    check_labels(dataset)
    told = told_of(dataset)
    if reason := refusal(dataset, told):
        raise DataError(f"{name}: {f'{part}: ' if part else ''}{reason}")
    dataset.notes += remark(dataset, told)
    dataset.selection, dataset.part = _counted(dataset, info.count), part
    return dataset


def check_labels(dataset: Dataset) -> None:
    """Check that every label is one of the label space, and every id is one image's: a record is known by its id.

    Raises `DataError`.
    """
    classes = label_space(dataset.labels).classes
    for image_id, target in zip(dataset.ids, dataset.targets, strict=True):
        if not 0 <= target < classes:
            raise DataError(f"{dataset.name}: {image_id} has the label {target}; {dataset.labels} has 0..{classes - 1}")
    if len(set(dataset.ids)) < len(dataset):
        twice = next(image_id for image_id, count in Counter(dataset.ids).items() if count > 1)
        raise DataError(f"{dataset.name}: several images are called {twice}; each needs a name of its own")


def _counted(dataset: Dataset, expected: int) -> Selection:
    """Return the set's selection, with the numbers of images and missing classes if it is not complete."""
    if not expected or len(dataset) == expected:
        return dataset.selection
    classes = label_space(dataset.labels).classes
    missing = classes - len(set(dataset.targets))
    counts = replace(dataset.selection, found=len(dataset), complete=expected)
    return replace(counts, missing=missing, classes=classes) if missing else counts
