"""What the doctor asks of a set that it knows by its folder's name: conditions, counts, classes, sizes, strangers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.corruptions import EXTRA, NAMES, SEVERITIES
from bench.datasets.base import Dataset, UnreadableError
from bench.datasets.known.imagenet_c import GROUPS
from bench.datasets.known.imagenet_v2 import V2_VARIANTS
from bench.datasets.mislabelled import mislabelled_folders
from bench.datasets.report import SHOWN, DataReport
from bench.datasets.table import SETS, DataRoots, open_dataset
from bench.errors import DataError

SAMPLE = 3
"""Pictures opened of each condition of ImageNet-C, which has nearly five million."""


def known_set(root: Path) -> str | None:
    """The set that a folder is named after, where it has rules beyond ImageNet's own."""
    return root.name if root.name in SETS and root.name not in {"imagenet", "folder", "sample"} else None


def check_set(name: str, root: Path, readers: int) -> DataReport:
    """Every part of set `name` under `root`: absent and incomplete ones are problems."""
    found = DataReport(root, SETS[name].title)
    classes: set[int] = set()
    roots = DataRoots({SETS[name].folder: root})
    with ThreadPoolExecutor(readers) as pool:
        for label, dataset in _parts(name, roots, found):
            found.images += len(dataset)
            classes |= set(dataset.targets)
            if dataset.subset:
                found.problems.append(f"{label}: {dataset.subset}")
            found.problems += [f"{label}: {problem}" for problem in mislabelled_folders(dataset)]
            count = min(len(dataset), SAMPLE) if name == "imagenet-c" else len(dataset)
            for index, size in zip(range(count), pool.map(_size, [dataset] * count, range(count)), strict=True):
                if isinstance(size, str):
                    found.problems.append(f"not scored, {label}: {dataset.ids[index]}: {size}")
                else:
                    found.sizes[size] += 1
    found.classes = len(classes)
    found.notes += _strangers(name, root)
    return found


def _parts(name: str, roots: DataRoots, found: DataReport) -> Iterator[tuple[str, Dataset]]:
    """The parts that open; why the others do not goes into `found`. Held-out corruptions may be absent."""
    wanted = [(name, "")]
    if name == "imagenet-c":
        wanted = [(name, f"{corruption}/{severity}") for corruption in NAMES + EXTRA for severity in SEVERITIES]
    elif name == "imagenet-v2":
        wanted = [(variant, "") for variant in V2_VARIANTS]
    absent = []
    for part_of, part in wanted:
        try:
            yield part or part_of, open_dataset(part_of, roots, part)
        except DataError as error:
            if name == "imagenet-c" and f"no {part}/" in str(error):
                absent.append(part)
            else:
                found.problems.append(str(error))
    required = [part for part in absent if part.split("/")[0] in NAMES]
    if required:
        found.problems.append(f"{len(required)} of 75 conditions missing: {_some(required)}")
    if held_out := len(absent) - len(required):
        found.notes.append(f"{held_out} of the 20 held-out conditions (imagenet-c-extra) are absent")


def _strangers(name: str, root: Path) -> Iterator[str]:
    """Folders of ImageNet-C that no condition reads."""
    if name == "imagenet-c":
        expected = {*NAMES, *EXTRA, *GROUPS}
        extra = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name not in expected)
        if extra:
            yield f"{len(extra)} folders are no corruption of the release and are left out: {_some(extra)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")


def _size(dataset: Dataset, index: int) -> tuple[int, int] | str:
    try:
        return dataset.read(index).size
    except UnreadableError as error:
        return str(error)
