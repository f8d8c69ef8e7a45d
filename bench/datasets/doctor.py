"""Check a data folder before a run: its sets, their completeness, and what `run` would refuse."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.datasets.base import Dataset, UnreadableError
from bench.datasets.folder import missing_classes
from bench.datasets.info import SetInfo, SetPlace
from bench.datasets.labels import imagenet_wnids
from bench.datasets.report import SHOWN, DataReport, some
from bench.datasets.table import SETS, DataRoots, open_dataset
from bench.errors import DataError
from bench.naming import TEST, TRAINING

SAMPLE = 3
"""Number of images opened in each part of a set with many: ImageNet-C has nearly five million."""

NEARLY = 0.9
"""Share of ImageNet's images above which missing ones are assumed to be lost, not left out on purpose."""


def survey(root: Path) -> list[DataReport]:
    """Survey the sets under `root`: place, layout, completeness, and what `run` refuses; reads no image. Raises
    `DataError` if there is nothing to check."""
    return [report for report, _ in _examined(root)]


def diagnose(root: Path, *, readers: int = 4) -> list[DataReport]:
    """Survey the sets, and open every image once (of ImageNet-C's conditions, a few each)."""
    reports = []
    for report, datasets in _examined(root):
        with ThreadPoolExecutor(readers) as pool:
            for part, dataset in datasets:
                _read(report, part, dataset, pool, SAMPLE if len(datasets) > SAMPLE else len(dataset))
        reports.append(report)
    return reports


Parts = list[tuple[str, Dataset]]


def _examined(root: Path) -> Iterator[tuple[DataReport, Parts]]:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; expected the folder of one data set, or one that holds several")
    roots = DataRoots({}, root)
    finds = roots.finds(root)
    names = [name for name in SETS if any(f.name == name for f in finds) or (name == "imagenet" and roots.holds(name))]
    if not names:
        guess = "imagenet" if finds else "folder"
        roots, names = DataRoots({guess: root}), [guess]
    others = [f for f in finds if f.name not in names and "imagenet" not in names]
    for name in names:
        report, datasets = _examine(SETS[name], roots, root)
        report.notes += [f"also here, not read: {found}" for found in others]
        others = []
        yield report, datasets


def _examine(info: SetInfo, roots: DataRoots, root: Path) -> tuple[DataReport, Parts]:
    """Return the report of one set, with every part opened as in `run`."""
    try:
        place = roots.place(info.name)
    except DataError as error:
        return DataReport(info.name, info.title, root, "refused", "refused", problems=[str(error)]), []
    report = DataReport(info.name, info.title, *_where(place))
    report.notes += [f"also here, left out: {found}" for found in place.elsewhere if found.kind in (TRAINING, TEST)]
    if info.all_parts:
        report.notes += [f"not part of the set, left out: {found}" for found in place.found if not found.part]
    datasets: Parts = []
    absent = []
    for part in (*info.all_parts, *info.extra_parts) or ("",):
        if info.all_parts and not place.of_part(part) and not any(part in f.part for f in place.found):
            absent.append(part)
            continue
        try:
            datasets.append((part, open_dataset(info.name, roots, part)))
        except DataError as error:
            if part and f"{part}/ under" in str(error):
                absent.append(part)
                report.problems += [f"{part}/ is empty"] if f"empty {part}/" in str(error) else []
            else:
                report.problems.append(str(error))
    _count(report, info, datasets, absent)
    return report, datasets


def _where(place: SetPlace) -> tuple[Path, str]:
    """Return the folder that contains a whole set, and its layouts."""
    layouts = " and ".join(dict.fromkeys(f.layout for f in place.found))
    folders = list(dict.fromkeys(f.folder for f in place.found))
    return (folders[0] if len(folders) == 1 else place.root), layouts


def _count(report: DataReport, info: SetInfo, datasets: Parts, absent: Sequence[str]) -> None:
    """Add up the parts, and list what is missing or left out."""
    report.images = sum(len(dataset) for _, dataset in datasets)
    report.classes = len({target for _, dataset in datasets for target in dataset.targets})
    standing = []
    if lacking := [part for part in absent if part in info.all_parts]:
        standing.append(f"{len(lacking)} of {len(info.all_parts)} conditions missing: {some(lacking)}")
        report.problems.append(standing[-1])
    if extra := [part for part in absent if part in info.extra_parts]:
        report.notes.append(f"{len(extra)} of the {len(info.extra_parts)} held-out conditions are absent")
    for part, dataset in datasets:
        at = f"{part}: " if part else ""
        report.notes += [f"{at}left out: {line}" for line in dataset.notes]
        if dataset.subset:
            standing.append(f"{at}{dataset.subset}")
            few = info.name == "imagenet" and len(dataset) < NEARLY * info.count
            (report.notes if few else report.problems).append(
                f"{at}{dataset.subset}: a subset, results are labelled so" if few else f"{at}{dataset.subset}"
            )
        if dataset.labels == "imagenet1k" and not part and (missing := missing_classes(dataset, 1000)):
            names = ", ".join(imagenet_wnids()[i] for i in missing[:SHOWN])
            more = " ..." if len(missing) > SHOWN else ""
            told = f"{len(missing)} of 1000 classes"
            report.notes.append(f"{'no' if told in dataset.subset else f'{told}: no'} image of {names}{more}")
    if report.problems and not datasets:
        report.standing = "refused"
    elif standing:
        report.standing = standing[0] + (f" and {len(standing) - 1} more" if standing[1:] else "")


def _read(report: DataReport, part: str, dataset: Dataset, pool: ThreadPoolExecutor, count: int) -> None:
    count = min(count, len(dataset))
    for index, size in zip(range(count), pool.map(_size, [dataset] * count, range(count)), strict=True):
        if isinstance(size, str):
            at = f"{part}: " if part else ""
            report.problems.append(f"not scored, unreadable: {at}{dataset.ids[index]}: {size}")
        else:
            report.sizes[size] += 1


def _size(dataset: Dataset, index: int) -> tuple[int, int] | str:
    try:
        return dataset.read(index).size
    except UnreadableError as error:
        return str(error)
