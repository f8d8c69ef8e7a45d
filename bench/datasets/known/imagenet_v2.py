"""ImageNet-V2: three variants of 10,000 images, in folders 0..999 of the sorted wnids."""

from bench.datasets.base import Dataset
from bench.datasets.info import Archive, Opener, SetInfo, SetPlace
from bench.datasets.layouts import read_set
from bench.datasets.proof import BY_NUMBERS, RELEASE
from bench.errors import DataError

_ADDRESS = "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main"

V2_VARIANTS = {
    "imagenet-v2": "matched-frequency",
    "imagenet-v2-threshold0.7": "threshold0.7",
    "imagenet-v2-top-images": "top-images",
}


def opener(name: str) -> Opener:
    """The opener of one variant; a part names another (`imagenetv2-top-images-format-val`)."""

    def opened(place: SetPlace, part: str) -> Dataset:
        variant = part or V2_VARIANTS[name]
        called = [f for f in place.found if variant in f.part]
        unnamed = [f for f in place.found if not f.part]
        found = called or (unnamed if variant == V2_VARIANTS["imagenet-v2"] else [])
        if len(found) != 1:
            there = ", ".join(str(f.folder) for f in place.found)
            raise DataError(
                f"{name}: expected one folder imagenetv2-{variant}-format-val/ under {place.root}, found {there}; "
                "`bench data fetch imagenet-v2` places it"
            )
        dataset = read_set(found[0].folder, name, "imagenet1k")
        dataset.proof = RELEASE if dataset.proof == BY_NUMBERS else dataset.proof
        if not called:
            dataset.notes = (*dataset.notes, f"no folder names the variant: {found[0].folder} is taken as {variant}")
        return dataset

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
        opener(name),
        "" if number else "imagenet-v2/imagenetv2-VARIANT-format-val/0..999/*.jpeg",
        source="imagenet-v2" if number else "",
        archives=() if number else _ARCHIVES,
        heading="" if number else "V2",
        headline="" if number else "accuracy_matched_frequency",
        citation="Recht et al. 2019, arXiv 1902.10811",
        pictures="" if number else "[0-9a-f]{40}",
        parts="" if number else r"(?:imagenetv2-[^/]+|matched-frequency|threshold0\.7|top-images)",
        all_parts=() if number else tuple(V2_VARIANTS.values()),
    )
    for number, (name, variant) in enumerate(V2_VARIANTS.items())
)
