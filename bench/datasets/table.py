"""Where the user's data lies, and how a set is opened there."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.datasets.base import Dataset
from bench.datasets.known import SETS
from bench.datasets.labels import label_space
from bench.datasets.layouts import LIVE
from bench.errors import DataError, UsageError

__all__ = ["SETS", "DataRoots", "open_dataset", "parse_roots"]


@dataclass(frozen=True)
class DataRoots:
    """Where the user's data lies: one folder a set, and a common root such as `BENCH_DATA`."""

    own: Mapping[str, Path]
    common: Path | None = None

    def folder(self, name: str) -> Path:
        """The folder of set `name`. Raises `DataError` saying how to name it."""
        if name in self.own:
            return self.own[name]
        if self.common is None:
            raise DataError(
                f"{name}: no data folder given; add --data DIR (or --data {name}=DIR), "
                f"or set BENCH_DATA to a folder that holds {name}/"
            )
        inside = self.common / name
        return inside if inside.is_dir() else own_folder(name, self.common)

    def holds(self, name: str) -> bool:
        """Whether set `name` has a folder of its own here, or needs none."""
        inside = self.common is not None and (self.common / name).is_dir()
        return name in self.own or inside or (name in SETS and SETS[name].generated)


def own_folder(name: str, folder: Path) -> Path:
    """`folder`, given as a data root that holds no `name`/, as the folder of set `name` itself.

    Raises `DataError` where it is another set's by its name or files, or a root that lacks this one: ImageNet's
    pictures read as sketches would be a wrong number under a right name.
    """
    if name == "folder":
        return folder
    placed = [known for known, info in SETS.items() if info.layout and known != "folder"]
    if held := [known for known in placed if (folder / known).is_dir()]:
        raise DataError(f"{name}: no {name}/ under {folder}, which holds {', '.join(held)}; {_place(name)}")
    named = SETS[folder.name].folder if folder.name in SETS else ""
    if named in placed and named != name:
        raise DataError(f"{name}: {folder} is the folder of {named} by its name; {_place(name)}")
    if name == "imagenet-sketch" and folder.name != name and not any(folder.rglob("sketch_*")):
        raise DataError(f"{name}: no sketch_*.JPEG under {folder}; {_place(name)}")
    return folder


def _place(name: str) -> str:
    layout = SETS[name].layout if name in SETS else ""
    place = f"place it as {layout or name} under your data root, or name it: --data {name}=DIR"
    return f"{place}; or {LIVE}" if name == "imagenet-c" else place


def parse_roots(text: str | None, environment: str | None) -> DataRoots:
    """`DIR` or `NAME=DIR,NAME=DIR` as typed after --data, with `BENCH_DATA` for what it does not name."""
    own: dict[str, Path] = {}
    common = Path(environment) if environment else None
    for part in filter(None, (text or "").split(",")):
        name, equals, place = part.partition("=")
        if not equals:
            common = Path(part)
        elif name in SETS:
            own[name] = Path(place)
        else:
            raise UsageError.unknown("dataset", name, SETS)
    for folder_given in [*own.values(), *([common] if common else [])]:
        if not folder_given.is_dir():
            raise DataError(f"--data: {folder_given} is not a folder; `bench data list` says what goes where")
    return DataRoots(own, common)


def open_dataset(name: str, roots: DataRoots, part: str = "") -> Dataset:
    """The data set called `name` (or its `part`), from the user's folders. Raises `UsageError` or `DataError`."""
    if name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)
    info = SETS[name]
    dataset = info.open(Path() if info.generated else roots.folder(info.folder), part)
    _check(dataset)
    dataset.subset = dataset.subset or _incomplete(dataset, info.count)
    return dataset


def _check(dataset: Dataset) -> None:
    """That every label is one of the label space, and every id is one picture's: a record is known by its id."""
    classes = label_space(dataset.labels).classes
    for image_id, target in zip(dataset.ids, dataset.targets, strict=True):
        if not 0 <= target < classes:
            raise DataError(f"{dataset.name}: {image_id} has the label {target}; {dataset.labels} has 0..{classes - 1}")
    if len(set(dataset.ids)) < len(dataset):
        twice = next(image_id for image_id, count in Counter(dataset.ids).items() if count > 1)
        raise DataError(f"{dataset.name}: several pictures are called {twice}; each needs a name of its own")


def _incomplete(dataset: Dataset, expected: int) -> str:
    """How the set differs from the complete one; empty when it does not."""
    classes = label_space(dataset.labels).classes
    missing = classes - len(set(dataset.targets))
    if not expected or len(dataset) == expected:
        return ""
    lacking = f", {missing} of {classes} classes missing" if missing else ""
    return f"{len(dataset)} of {expected} images{lacking}"
