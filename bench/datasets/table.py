"""The one table of data sets: what each is, how many pictures, where to get it, and how to open it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.datasets import folder
from bench.datasets.base import Dataset
from bench.datasets.labels import label_space
from bench.datasets.sample import read_sample
from bench.errors import DataError, UsageError


@dataclass(frozen=True)
class SetInfo:
    """One data set. `count` pictures when complete (0: any number); `address` is where to get it."""

    name: str
    title: str
    labels: str
    count: int
    licence: str
    address: str
    open: Callable[["DataRoots", str], Dataset]
    """Opens the set from the user's folders; the second argument is its part (`fog/3` of ImageNet-C), mostly none."""


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
        return inside if inside.is_dir() else self.common


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


def _imagenet(roots: DataRoots, _part: str) -> Dataset:
    root = roots.folder("imagenet")
    return folder.read_folder(root / "val" if (root / "val").is_dir() else root, "imagenet", "imagenet1k")


def _imagenet_c(roots: DataRoots, part: str) -> Dataset:
    """Official layout: CORRUPTION/SEVERITY/WNID/*.JPEG, 224 px; the release's four archives may stay apart."""
    root = roots.folder("imagenet-c")
    for place in (root, *(root / group for group in IMAGENET_C_GROUPS)):
        if (place / part).is_dir():
            return folder.read_folder(place / part, "imagenet-c", "imagenet1k", as_stored=True)
    raise DataError(
        f"imagenet-c: no {part}/ under {root} (official layout: CORRUPTION/SEVERITY/WNID/*.JPEG); "
        "fetch the files (`bench data list`), or corrupt clean images on the fly: --suite imagenet-c-live"
    )


IMAGENET_C_GROUPS = ("noise", "blur", "weather", "digital", "extra")
"""The archives of the release (zenodo 2235448), each of which unpacks into its own folder."""


def _any_folder(roots: DataRoots, _part: str) -> Dataset:
    return folder.read_class_folders(roots.folder("folder"), "folder")


SETS: dict[str, SetInfo] = {
    info.name: info
    for info in (
        SetInfo("imagenet", "ImageNet validation set (ILSVRC 2012)", "imagenet1k", 50_000,
                "research only, by registration", "https://image-net.org", _imagenet),
        SetInfo("imagenet-c", "ImageNet-C, the official JPEG files", "imagenet1k", 50_000,
                "CC BY 4.0", "https://zenodo.org/records/2235448", _imagenet_c),
        SetInfo("folder", "any folder with one folder a class", "its own", 0, "the user's", "", _any_folder),
        SetInfo("sample", "twenty labelled ImageNet pictures shipped by the package foolbox", "imagenet1k", 20,
                "MIT (the package)", "pip install 'robust-imagenet-bench[demo]'", lambda _roots, _part: read_sample()),
    )
}  # fmt: skip


def open_dataset(name: str, roots: DataRoots, part: str = "") -> Dataset:
    """The data set called `name` (or its `part`), from the user's folders. Raises `UsageError` or `DataError`."""
    if name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)
    dataset = SETS[name].open(roots, part)
    dataset.subset = dataset.subset or _incomplete(dataset, SETS[name].count)
    return dataset


def _incomplete(dataset: Dataset, expected: int) -> str:
    """How the set differs from the complete one; empty when it does not."""
    classes = label_space(dataset.labels).classes
    missing = classes - len(set(dataset.targets))
    if not expected or len(dataset) == expected:
        return ""
    lacking = f", {missing} of {classes} classes missing" if missing else ""
    return f"{len(dataset)} of {expected} images{lacking}"
