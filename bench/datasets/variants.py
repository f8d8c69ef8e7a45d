"""ImageNet's kin: how each set is laid out, which classes it has, and how its labels are counted."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from bench.datasets.base import Dataset, FixedSize, Item, UnreadableError, View
from bench.datasets.categories import CATEGORIES
from bench.datasets.folder import FolderDataset
from bench.datasets.labels import label_space
from bench.datasets.layouts import LIVE, read_set
from bench.errors import DataError

if TYPE_CHECKING:
    from bench.datasets.table import DataRoots

IMAGENET_C_GROUPS = ("noise", "blur", "weather", "digital", "extra")
"""The archives of the release (zenodo 2235448), each of which unpacks into its own folder."""

V2_VARIANTS = {
    "imagenet-v2": "matched-frequency",
    "imagenet-v2-threshold0.7": "threshold0.7",
    "imagenet-v2-top-images": "top-images",
}

IMAGENET_C_SIDE = STYLIZED_SIDE = 224


def open_imagenet(roots: "DataRoots", _part: str = "") -> Dataset:
    """The validation set, in any layout of `layouts`."""
    root = roots.folder("imagenet")
    return read_set(root / "val" if (root / "val").is_dir() else root, "imagenet", "imagenet1k")


def open_imagenet_c(roots: "DataRoots", part: str) -> Dataset:
    """Official layout: CORRUPTION/SEVERITY/WNID/*.JPEG, 224 px; the release's five archives may stay apart."""
    root = roots.folder("imagenet-c")
    for place in (root, *(root / group for group in IMAGENET_C_GROUPS)):
        if (place / part).is_dir():
            return _fixed(read_set(place / part, "imagenet-c", "imagenet1k", as_stored=True), IMAGENET_C_SIDE, place)
    if any(root.glob("*.tar")):
        return _fixed(read_set(root, "imagenet-c", "imagenet1k", as_stored=True, under=part), IMAGENET_C_SIDE, root)
    raise DataError(
        f"imagenet-c: no {part}/ under {root} (official layout: CORRUPTION/SEVERITY/WNID/*.JPEG); "
        f"fetch the files (`bench data fetch imagenet-c`), or {LIVE}"
    )


def open_stylized(roots: "DataRoots", _part: str) -> Dataset:
    """rgeirhos/Stylized-ImageNet's layout: val/WNID/*.png or *.JPEG, already 224 px; every copy is its owner's own."""
    root = roots.folder("stylized")
    root = root / "val" if (root / "val").is_dir() else root
    return _fixed(read_set(root, "stylized", "imagenet1k", as_stored=True), STYLIZED_SIDE, root)


def _fixed(dataset: Dataset, side: int, root: Path) -> Dataset:
    """`dataset` with each picture's size checked when it is read, and that of the first at once."""
    try:
        width, height = dataset.read(0).size
    except UnreadableError:
        return FixedSize(dataset, side)
    if (width, height) != (side, side):
        raise DataError(
            f"{dataset.name}: {dataset.ids[0]} under {root} has {width}x{height} pixels, expected {side}x{side}; "
            "use the original files, unchanged (other sizes were made for other networks and give other numbers)"
        )
    return FixedSize(dataset, side)


def open_plain(name: str, roots: "DataRoots", inner: str = "") -> Dataset:
    """A set with ImageNet's 1000 classes in the folder `name`, or in its folder `inner` as the release unpacks it."""
    root = roots.folder(name)
    return read_set(root / inner if (root / inner).is_dir() else root, name, "imagenet1k")


def open_v2(variant: str, roots: "DataRoots") -> Dataset:
    """One of ImageNet-V2's three variants: folders 0..999, read as numbers."""
    root = roots.folder("imagenet-v2")
    name = next(name for name, known in V2_VARIANTS.items() if known == variant)
    names = (f"imagenetv2-{variant}-format-val", f"imagenetv2-{variant}", variant)
    places = [root / n for n in names if (root / n).is_dir()]
    if not places and any((root / n).is_dir() for n in ("0", "999", "n01440764")):
        places = [root] if variant == "matched-frequency" else []
    if not places:
        raise DataError(f"{name}: no {names[0]}/ under {root}; `bench data fetch imagenet-v2` places it")
    return read_set(places[0], name, "imagenet1k")


def open_of_200(name: str, roots: "DataRoots") -> Dataset:
    """ImageNet-A or -R: folders by wnid, labels counted among the set's own 200 classes."""
    root = roots.folder(name)
    dataset = read_set(root / name if (root / name).is_dir() else root, name, "imagenet1k")
    chosen = of_classes(dataset, f"{name}-200")
    if strangers := len(dataset) - len(chosen):
        raise DataError(
            f"{name}: {strangers} of the {len(dataset)} pictures under {root} are of none of its 200 classes; "
            "is it another set's folder? `bench data list` says what goes where"
        )
    return chosen


def open_same_classes(name: str, roots: "DataRoots") -> Dataset:
    """ImageNet's validation pictures of the 200 classes of set `name`, labels counted among them."""
    dataset = of_classes(open_imagenet(roots), f"{name}-200")
    dataset.name = f"{name}-clean"
    return dataset


def of_classes(dataset: Dataset, space: str) -> View:
    """The pictures of a 1000-class set whose class is in label space `space`, relabelled."""
    place = {member: label for label, (member,) in enumerate(label_space(space).members)}
    indices = [i for i, target in enumerate(dataset.targets) if target in place]
    return View(dataset, indices, [place[dataset.targets[i]] for i in indices], space)


def open_cue_conflict(roots: "DataRoots", _part: str) -> Dataset:
    """The stimuli in any layout: their file names tell shape (the label) and texture."""
    root = roots.folder("cue-conflict")
    files = [p for p in sorted(root.rglob("*.png")) if not p.name.startswith(".")]
    names = [p.stem.rsplit("_", 1)[-1] for p in files]
    shapes = [name.split("-")[0].rstrip("0123456789") for name in names]
    order = {category: label for label, category in enumerate(CATEGORIES)}
    if not files or (strangers := [n for n, s in zip(names, shapes, strict=True) if s not in order]):
        found = f"{strangers[0]}.png" if files else "no PNG files"
        raise DataError(f"cue-conflict: expected files such as cat7-elephant1.png under {root}, found {found}")
    items = [Item(n, order[s], p, p.stat().st_size) for n, s, p in zip(names, shapes, files, strict=True)]
    return FolderDataset("cue-conflict", "categories16", items)


def open_robustbench(roots: "DataRoots", _part: str) -> Dataset:
    """The 5,000 validation pictures of RobustBench's ImageNet leaderboards, by the list that robustbench ships."""
    wanted = _robustbench_ids()
    whole = open_imagenet(roots)
    dataset = View(whole, [i for i, name in enumerate(whole.ids) if name in wanted])
    if not len(dataset):
        raise DataError(
            "robustbench-5k: none of its pictures (ILSVRC2012_val_00015253, ...) is in your ImageNet folder; "
            "it needs the validation set under its original file names"
        )
    dataset.name, dataset.subset = "robustbench-5k", ""
    return dataset


def _robustbench_ids() -> frozenset[str]:
    spec = importlib.util.find_spec("robustbench")
    if spec is None or spec.origin is None:
        raise DataError(
            "robustbench-5k: the list of its 5,000 pictures is in the package robustbench, which is not installed; "
            "pip install 'robust-imagenet-bench[robustbench]'"
        )
    lines = (Path(spec.origin).parent / "helper_files" / "imagenet_test_image_ids.txt").read_text().split()
    return frozenset(Path(line).stem for line in lines)
