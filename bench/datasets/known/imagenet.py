"""ImageNet's validation set, and its subsets."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from bench.datasets.base import Dataset, View
from bench.datasets.info import RESEARCH, WNID_FOLDERS, SetInfo, SetPlace
from bench.datasets.layouts import read_set
from bench.errors import DataError
from bench.metrics.selection import WHOLE
from bench.naming import TEST, TRAINING, VALIDATION, picture_id, split_of


def open_imagenet(place: SetPlace, _part: str = "") -> Dataset:
    """Open the validation set, in any layout of `layouts`; training and test images in it are left out."""
    whole = read_set(place.folder, "imagenet", "imagenet1k")
    splits = [split_of(stem) for stem in whole.stems]
    other = {split: splits.count(split) for split in (TRAINING, TEST) if split in splits}
    if not other:
        return whole
    if sum(other.values()) == len(whole):
        whole.selection = replace(whole.selection, split=splits[0])
        return whole
    chosen = View(whole, [i for i, split in enumerate(splits) if not split])
    chosen.notes = (*whole.notes, *(f"{count} images of the {split} split" for split, count in other.items()))
    return chosen


def open_robustbench(place: SetPlace, _part: str = "") -> Dataset:
    """Open the 5,000 validation images of RobustBench's ImageNet leaderboards, from the list in robustbench."""
    wanted = robustbench_ids()
    whole = open_imagenet(place)
    dataset = View(whole, [i for i, stem in enumerate(whole.stems) if picture_id(stem) in wanted])
    if not len(dataset):
        raise DataError(
            "robustbench-5k: none of its images (ILSVRC2012_val_00015253, ...) is in your ImageNet folder; "
            "it needs the validation set under its original file names"
        )
    dataset.name, dataset.selection = "robustbench-5k", WHOLE
    return dataset


def robustbench_ids() -> frozenset[str]:
    """Return the ids of its images. Raises `DataError` if robustbench is not installed."""
    spec = importlib.util.find_spec("robustbench")
    if spec is None or spec.origin is None:
        raise DataError(
            "robustbench-5k: the list of its 5,000 images is in the package robustbench, which is not installed; "
            "pip install 'robust-imagenet-bench[robustbench]'"
        )
    lines = (Path(spec.origin).parent / "helper_files" / "imagenet_test_image_ids.txt").read_text("utf-8").split()
    return frozenset(Path(line).stem for line in lines)


SETS = (
    SetInfo(
        "imagenet",
        "ImageNet validation set (ILSVRC 2012)",
        10,
        "imagenet1k",
        50_000,
        RESEARCH,
        "https://image-net.org",
        open_imagenet,
        f"imagenet/[val/]{WNID_FOLDERS}; or the flat official folder with its devkit or LOC_val_solution.csv",
        heading="Clean",
        citation="Russakovsky et al. 2015, arXiv 1409.0575",
        pictures=VALIDATION.pattern,
    ),
    SetInfo(
        "robustbench-5k",
        "the 5,000 validation images of RobustBench",
        130,
        "imagenet1k",
        5_000,
        RESEARCH,
        "pip install 'robust-imagenet-bench[robustbench]'",
        open_robustbench,
        source="imagenet",
        heading="AutoAttack",
        headline="robust_accuracy",
        citation="Croce et al. 2021, arXiv 2010.09670",
    ),
)
