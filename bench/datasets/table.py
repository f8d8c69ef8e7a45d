"""The one table of data sets: what each is, how many pictures, where to get it, and how to open it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.datasets import folder, variants
from bench.datasets.base import Dataset
from bench.datasets.embedded_set import COUNT, LABELS, open_embedded
from bench.datasets.labels import label_space
from bench.datasets.layouts import own_folder
from bench.datasets.sample import read_sample
from bench.errors import DataError, UsageError

Opener = Callable[["DataRoots", str], Dataset]
"""Opens a set from the user's folders; the second argument is its part (`fog/3` of ImageNet-C), mostly none."""


@dataclass(frozen=True)
class SetInfo:
    """One data set. `count` pictures when complete (0: any number); `address` is where to get it."""

    name: str
    title: str
    labels: str
    count: int
    licence: str
    address: str
    open: Opener


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
        return name in self.own or inside or (name in SETS and SETS[name].labels == LABELS)


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


def _any_folder(roots: DataRoots, _part: str) -> Dataset:
    return folder.read_class_folders(roots.folder("folder"), "folder")


def _of_200(name: str) -> Opener:
    return lambda roots, _part: variants.open_of_200(name, roots)


def _same_classes(name: str) -> Opener:
    return lambda roots, _part: variants.open_same_classes(name, roots)


def _v2(variant: str) -> Opener:
    return lambda roots, _part: variants.open_v2(variant, roots)


def _embedded(name: str, title: str, count: int = COUNT) -> SetInfo:
    return SetInfo(
        name,
        title,
        LABELS,
        count,
        "none needed: generated",
        "generated from a seed",
        lambda _roots, part: open_embedded(name, part),
    )


_RESEARCH = "research only, by registration"

SETS: dict[str, SetInfo] = {
    info.name: info
    for info in (
        SetInfo(
            "imagenet",
            "ImageNet validation set (ILSVRC 2012)",
            "imagenet1k",
            50_000,
            _RESEARCH,
            "https://image-net.org",
            variants.open_imagenet,
        ),
        SetInfo(
            "imagenet-c",
            "ImageNet-C, the official JPEG files",
            "imagenet1k",
            50_000,
            "CC BY 4.0",
            "https://zenodo.org/records/2235448",
            variants.open_imagenet_c,
        ),
        SetInfo(
            "imagenet-a",
            "ImageNet-A, natural adversarial examples",
            "imagenet-a-200",
            7_500,
            "MIT",
            "https://github.com/hendrycks/natural-adv-examples",
            _of_200("imagenet-a"),
        ),
        SetInfo(
            "imagenet-a-clean",
            "ImageNet's validation pictures of ImageNet-A's classes",
            "imagenet-a-200",
            10_000,
            _RESEARCH,
            "https://image-net.org",
            _same_classes("imagenet-a"),
        ),
        SetInfo(
            "imagenet-r",
            "ImageNet-R, renditions",
            "imagenet-r-200",
            30_000,
            "MIT",
            "https://github.com/hendrycks/imagenet-r",
            _of_200("imagenet-r"),
        ),
        SetInfo(
            "imagenet-r-clean",
            "ImageNet's validation pictures of ImageNet-R's classes",
            "imagenet-r-200",
            10_000,
            _RESEARCH,
            "https://image-net.org",
            _same_classes("imagenet-r"),
        ),
        *(
            SetInfo(
                name,
                f"ImageNet-V2, {variant}",
                "imagenet1k",
                10_000,
                "MIT",
                "https://github.com/modestyachts/ImageNetV2",
                _v2(variant),
            )
            for name, variant in variants.V2_VARIANTS.items()
        ),
        SetInfo(
            "imagenet-sketch",
            "ImageNet-Sketch",
            "imagenet1k",
            50_889,
            "MIT",
            "https://github.com/HaohanWang/ImageNet-Sketch",
            lambda roots, _part: variants.open_plain("imagenet-sketch", roots, "sketch"),
        ),
        SetInfo(
            "stylized",
            "Stylized-ImageNet, the user's own rendering",
            "imagenet1k",
            50_000,
            "not distributed: render it",
            "https://github.com/rgeirhos/Stylized-ImageNet",
            variants.open_stylized,
        ),
        SetInfo(
            "cue-conflict",
            "texture-shape cue conflict stimuli",
            "categories16",
            1_280,
            "CC BY 4.0",
            "https://github.com/rgeirhos/texture-vs-shape",
            variants.open_cue_conflict,
        ),
        SetInfo(
            "robustbench-5k",
            "the 5,000 validation pictures of RobustBench",
            "imagenet1k",
            5_000,
            _RESEARCH,
            "pip install 'robust-imagenet-bench[robustbench]'",
            variants.open_robustbench,
        ),
        _embedded("tiny", "embedded pictures, validation"),
        _embedded("tiny-a", "embedded pictures, natural adversarial", 0),
        _embedded("tiny-stylized", "embedded pictures, texture replaced"),
        _embedded("tiny-cue-conflict", "embedded pictures, texture of another class"),
        SetInfo("folder", "any folder with one folder a class", "its own", 0, "the user's", "", _any_folder),
        SetInfo(
            "sample",
            "twenty labelled ImageNet pictures shipped by the package foolbox",
            "imagenet1k",
            20,
            "MIT (the package)",
            "pip install 'robust-imagenet-bench[demo]'",
            lambda _roots, _part: read_sample(),
        ),
    )
}


def open_dataset(name: str, roots: DataRoots, part: str = "") -> Dataset:
    """The data set called `name` (or its `part`), from the user's folders. Raises `UsageError` or `DataError`."""
    if name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)
    dataset = SETS[name].open(roots, part)
    _check(dataset)
    dataset.subset = dataset.subset or _incomplete(dataset, SETS[name].count)
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
