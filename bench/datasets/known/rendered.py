"""Sketches, stylised images and cue conflict."""

from bench.datasets.base import Dataset, Item
from bench.datasets.categories import CATEGORIES
from bench.datasets.folder import FolderDataset
from bench.datasets.info import WNID_FOLDERS, Archive, SetInfo, SetPlace
from bench.datasets.layouts import read_set, same_size
from bench.datasets.listing import LeftOut, pictures_within
from bench.errors import DataError

STYLIZED_SIDE = 224


def open_sketch(place: SetPlace, _part: str = "") -> Dataset:
    """ImageNet's 1000 classes."""
    return read_set(place.folder, "imagenet-sketch", "imagenet1k")


def open_stylized(place: SetPlace, _part: str = "") -> Dataset:
    """rgeirhos/Stylized-ImageNet's layout: val/WNID/*.png or *.JPEG, already 224 px; every copy is its owner's own."""
    return same_size(read_set(place.folder, "stylized", "imagenet1k", as_stored=True), STYLIZED_SIDE, place.folder)


def open_cue_conflict(place: SetPlace, _part: str = "") -> Dataset:
    """The stimuli in any layout: their file names tell shape (the label) and texture."""
    left = LeftOut()
    folders = [found.folder for found in place.found] or [place.root]
    files = sorted({p for f in folders for p in pictures_within(f, left) if p.suffix.lower() == ".png"})
    names = [p.stem.rsplit("_", 1)[-1] for p in files]
    shapes = [name.split("-")[0].rstrip("0123456789") for name in names]
    order = {category: label for label, category in enumerate(CATEGORIES)}
    if not files or (strangers := [n for n, s in zip(names, shapes, strict=True) if s not in order]):
        found = f"{strangers[0]}.png" if files else "no PNG files"
        raise DataError(f"cue-conflict: expected files such as cat7-elephant1.png under {place.root}, found {found}")
    items = [Item.at(n, order[s], p) for n, s, p in zip(names, shapes, files, strict=True)]
    dataset = FolderDataset("cue-conflict", "categories16", items)
    dataset.notes = left.lines()
    return dataset


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
        pictures=r"sketch_\d+",
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
        accepts=("imagenet",),
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
        pictures=r"(?:.*_)?[a-z]+\d+-[a-z]+\d+",
        scattered=True,
        citation="Geirhos et al. 2019, arXiv 1811.12231",
    ),
)
