"""Sketches, stylised pictures and cue conflict."""

from pathlib import Path

from bench.datasets.base import Dataset, Item
from bench.datasets.categories import CATEGORIES
from bench.datasets.folder import FolderDataset
from bench.datasets.info import WNID_FOLDERS, Archive, SetInfo
from bench.datasets.layouts import read_set, same_size
from bench.errors import DataError

STYLIZED_SIDE = 224


def open_sketch(root: Path, _part: str = "") -> Dataset:
    """ImageNet's 1000 classes in the set's folder, or in `sketch/` as the release unpacks it."""
    return read_set(root / "sketch" if (root / "sketch").is_dir() else root, "imagenet-sketch", "imagenet1k")


def open_stylized(root: Path, _part: str = "") -> Dataset:
    """rgeirhos/Stylized-ImageNet's layout: val/WNID/*.png or *.JPEG, already 224 px; every copy is its owner's own."""
    root = root / "val" if (root / "val").is_dir() else root
    return same_size(read_set(root, "stylized", "imagenet1k", as_stored=True), STYLIZED_SIDE, root)


def open_cue_conflict(root: Path, _part: str = "") -> Dataset:
    """The stimuli in any layout: their file names tell shape (the label) and texture."""
    files = [p for p in sorted(root.rglob("*.png")) if not p.name.startswith(".")]
    names = [p.stem.rsplit("_", 1)[-1] for p in files]
    shapes = [name.split("-")[0].rstrip("0123456789") for name in names]
    order = {category: label for label, category in enumerate(CATEGORIES)}
    if not files or (strangers := [n for n, s in zip(names, shapes, strict=True) if s not in order]):
        found = f"{strangers[0]}.png" if files else "no PNG files"
        raise DataError(f"cue-conflict: expected files such as cat7-elephant1.png under {root}, found {found}")
    items = [Item(n, order[s], p, p.stat().st_size) for n, s, p in zip(names, shapes, files, strict=True)]
    return FolderDataset("cue-conflict", "categories16", items)


SETS = (
    SetInfo(
        "imagenet-sketch",
        "ImageNet-Sketch",
        60,
        "imagenet1k",
        50_889,
        "MIT",
        "https://github.com/HaohanWang/ImageNet-Sketch",
        open_sketch,
        f"imagenet-sketch/[sketch/]{WNID_FOLDERS}",
        archives=(
            Archive("https://huggingface.co/datasets/songweig/imagenet_sketch/resolve/main/data/ImageNet-Sketch.zip"),
        ),
        heading="Sketch",
        citation="Wang et al. 2019, arXiv 1905.13549",
    ),
    SetInfo(
        "stylized",
        "Stylized-ImageNet, the user's own rendering",
        70,
        "imagenet1k",
        50_000,
        "not distributed: render it",
        "https://github.com/rgeirhos/Stylized-ImageNet",
        open_stylized,
        "stylized/[val/]WNID/*, 224 px, rendered by rgeirhos/Stylized-ImageNet",
        heading="Stylised",
        citation="Geirhos et al. 2019, arXiv 1811.12231",
    ),
    SetInfo(
        "cue-conflict",
        "texture-shape cue conflict stimuli",
        80,
        "categories16",
        1_280,
        "CC BY 4.0",
        "https://github.com/rgeirhos/texture-vs-shape",
        open_cue_conflict,
        "cue-conflict/**/SHAPEn-TEXTUREm.png",
        archives=(Archive("https://github.com/bethgelab/model-vs-human/releases/download/v0.1/cue-conflict.tar.gz"),),
        heading="Shape bias",
        headline="shape_bias",
        citation="Geirhos et al. 2019, arXiv 1811.12231",
    ),
)
