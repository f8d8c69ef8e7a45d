"""ImageNet-V2: three variants of 10,000 pictures, in folders 0..999 of the sorted wnids."""

from pathlib import Path

from bench.datasets.base import Dataset
from bench.datasets.info import Archive, Opener, SetInfo
from bench.datasets.layouts import read_set
from bench.errors import DataError

_ADDRESS = "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main"

V2_VARIANTS = {
    "imagenet-v2": "matched-frequency",
    "imagenet-v2-threshold0.7": "threshold0.7",
    "imagenet-v2-top-images": "top-images",
}


def _variant(name: str) -> Opener:
    variant = V2_VARIANTS[name]
    names = (f"imagenetv2-{variant}-format-val", f"imagenetv2-{variant}", variant)

    def opened(root: Path, _part: str = "") -> Dataset:
        places = [root / n for n in names if (root / n).is_dir()]
        if not places and any((root / n).is_dir() for n in ("0", "999", "n01440764")):
            places = [root] if variant == "matched-frequency" else []
        if not places:
            raise DataError(f"{name}: no {names[0]}/ under {root}; `bench data fetch imagenet-v2` places it")
        return read_set(places[0], name, "imagenet1k")

    return opened


_ARCHIVES = (  # sizes and SHA-256: tensorflow/datasets, checksums.tsv
    Archive(
        f"{_ADDRESS}/imagenetv2-matched-frequency.tar.gz",
        1_264_079_360,
        "f0c37fdf925916b19ea1323cd9a2208cdb6959ba2c32eef2a7fc393835c9ca7c",
    ),
    Archive(
        f"{_ADDRESS}/imagenetv2-threshold0.7.tar.gz",
        1_249_906_176,
        "32142bfe998f9cfa4141be691f6a80eeb1e27b24bd532a668eb08c26d98897a2",
    ),
    Archive(
        f"{_ADDRESS}/imagenetv2-top-images.tar.gz",
        1_245_927_936,
        "85e4ace30f3f0d660152062254b8759dda66267b27f7ec0fd8d5768f1073a04b",
    ),
)

SETS = tuple(
    SetInfo(
        name,
        f"ImageNet-V2, {variant}",
        50 + number,
        "imagenet1k",
        10_000,
        "MIT",
        "https://github.com/modestyachts/ImageNetV2",
        _variant(name),
        "" if number else "imagenet-v2/imagenetv2-VARIANT-format-val/0..999/*.jpeg",
        source="imagenet-v2" if number else "",
        archives=() if number else _ARCHIVES,
        heading="" if number else "V2",
        headline="" if number else "accuracy_matched_frequency",
        citation="Recht et al. 2019, arXiv 1902.10811",
    )
    for number, (name, variant) in enumerate(V2_VARIANTS.items())
)
