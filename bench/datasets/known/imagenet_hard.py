"""ImageNet-Hard: images that stay hard under any zoom, each with one or several right labels."""

from bench.datasets.base import Dataset
from bench.datasets.info import SetInfo, SetPlace
from bench.datasets.layouts import read_set
from bench.datasets.proof import BY_NUMBERS, RELEASE


def open_imagenet_hard(place: SetPlace, _part: str = "") -> Dataset:
    """The Hub's Parquet with lists of labels: ids end with all that are right (`-207+208`), the first is the label."""
    dataset = read_set(place.folder, "imagenet-hard", "imagenet1k")
    dataset.proof = RELEASE if dataset.proof == BY_NUMBERS else dataset.proof
    return dataset


SETS = (
    SetInfo(
        "imagenet-hard",
        "ImageNet-Hard, one or several right labels",
        93,
        "imagenet1k",
        10_980,
        "MIT",
        "https://huggingface.co/datasets/taesiri/imagenet-hard",
        open_imagenet_hard,
        "imagenet-hard/[data/]validation-*.parquet, with lists of labels",
        heading="Hard",
        headline="accuracy_any",
        citation="Taesiri et al. 2023, arXiv 2304.05538",
    ),
)
