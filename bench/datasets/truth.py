"""Ground truth for images that lie in one flat folder: every form in which ImageNet's labels are handed round.

Looked for in the folder and up to five folders above it. Forms: Kaggle's `LOC_val_solution.csv`; the devkit, unpacked
or as `ILSVRC2012_devkit_t12.tar.gz`; TensorFlow's `imagenet_2012_validation_synset_labels.txt`; `valprep.sh` of
soumith/imagenetloader.torch; lists of `NAME LABEL` (Caffe's and MMPretrain's `val.txt`, PaddleClas' `val_list.txt`,
Swin's `val_map.txt`, Tiny ImageNet's `val_annotations.txt`); and the XML of `Annotations/CLS-LOC/val`.
"""

import csv
import io
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.datasets.labels import imagenet_index
from bench.datasets.matlab import read_structs
from bench.errors import DataError
from bench.naming import WNID, picture_id
from model_zoo.formats.bounded import BoundedFile

ABOVE = 5
"""Folders above the images that are searched: Kaggle's csv lies four above them."""

MOST_BYTES = 64 << 20
"""Read of one file at most: the devkit's archive holds 3 MB, Kaggle's csv 3 MB."""


@dataclass(frozen=True)
class Truth:
    """Labels by image id, from `file`; `by_number` where the file names classes by numbers, which the images' own
    names have to confirm."""

    file: Path
    labels: dict[str, int]
    by_number: bool = False


def find_truth(root: Path, ids: Iterable[str]) -> Truth | None:
    """The ground truth that labels any of `ids`, nearest first. Raises `DataError` for a damaged file."""
    wanted = set(ids)
    for place in (root, *root.absolute().parents[:ABOVE]):
        for truth in _in(place):
            if not wanted.isdisjoint(truth.labels):
                return truth
    return None


def _in(place: Path) -> Iterator[Truth]:
    for name, form in _FORMS:
        if (file := place / name).is_file():
            if (truth := form(file)).labels:
                yield truth
            elif name in _TABLES:
                raise DataError(f"{file}: expected ImageNet's labels, found none")
    for devkit in (place / "ILSVRC2012_devkit_t12" / "data", place / "devkit" / "data", place / "data", place):
        file, meta = devkit / _NUMBERS, devkit / "meta.mat"
        if file.is_file() and meta.is_file():
            yield Truth(file, devkit_labels(file, file.read_bytes(), meta.read_bytes()))
    for above in (place, place / "ILSVRC"):
        if (annotations := above / "Annotations" / "CLS-LOC" / "val").is_dir():
            yield Truth(annotations, dict(_xml(annotations)))


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataError(f"{file}: more than {MOST_BYTES} bytes, which no ground truth has")
    return content.decode("utf-8-sig", "replace")


def _kaggle(file: Path) -> Truth:
    index = imagenet_index()
    try:
        rows = csv.DictReader(io.StringIO(_text(file)))
        return Truth(file, {row["ImageId"]: index[row["PredictionString"].split()[0]] for row in rows})
    except (KeyError, IndexError, AttributeError, ValueError, csv.Error) as error:
        raise DataError(
            f"{file}: expected columns ImageId, PredictionString ('n03995372 85 1 499 272'): {error}"
        ) from None


_NUMBERS = "ILSVRC2012_validation_ground_truth.txt"


def devkit_labels(file: Path, truth: bytes, meta: bytes) -> dict[str, int]:
    """The devkit numbers classes in its own order (ILSVRC2012_ID 1..1000), which meta.mat maps to wnids."""
    wnid_of, order = _synsets(file, meta), imagenet_index()
    try:
        numbers = [int(line) for line in truth.decode("utf-8").split()]
        return {f"ILSVRC2012_val_{i:08d}": order[wnid_of[n]] for i, n in enumerate(numbers, 1)}
    except (ValueError, KeyError) as error:
        raise DataError(f"{file}: expected one ILSVRC2012_ID of meta.mat a line, found {error!r}") from None


def _synsets(file: Path, meta: bytes) -> dict[int, str]:
    try:
        rows = [(s["ILSVRC2012_ID"], s["WNID"]) for s in read_structs(meta, "synsets")]
        return {int(number[0]): wnid for number, wnid in rows if isinstance(number, tuple) and isinstance(wnid, str)}
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise DataError(f"{file.with_name('meta.mat')}: expected the devkit's synsets, found {error}") from None


def _devkit_archive(file: Path) -> Truth:
    """The devkit as it is downloaded, which torchvision's ImageNet wants beside the tars."""
    found: dict[str, bytes] = {}
    try:
        with BoundedFile(file) as opened, tarfile.open(fileobj=opened, mode="r:*") as archive:
            for info in archive:
                name = PurePosixPath(info.name).name
                if info.isfile() and name in (_NUMBERS, "meta.mat") and info.size <= MOST_BYTES:
                    content = archive.extractfile(info)
                    found[name] = content.read() if content else b""
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise DataError(f"{file}: damaged or ends early ({error}); fetch it again") from None
    if len(found) < 2:
        return Truth(file, {})
    return Truth(file, devkit_labels(file, found[_NUMBERS], found["meta.mat"]))


def _synset_lines(file: Path) -> Truth:
    """TensorFlow's list: a wnid a line, for the validation images in order."""
    index = imagenet_index()
    wnids = _text(file).split()
    if unknown := [wnid for wnid in wnids if wnid not in index]:
        raise DataError(f"{file}: expected one wnid a line, found {unknown[0]!r}")
    return Truth(file, {f"ILSVRC2012_val_{i:08d}": index[wnid] for i, wnid in enumerate(wnids, 1)})


_MOVE = re.compile(rf"mv\s+(\S+)\.\w+\s+({WNID})/?")


def _script(file: Path) -> Truth:
    """`mv ILSVRC2012_val_00000293.JPEG n01440764/`."""
    index = imagenet_index()
    moves = _MOVE.findall(_text(file))
    return Truth(file, {picture_id(name): index[wnid] for name, wnid in moves if wnid in index})


_WNID = re.compile(WNID)


def _list(file: Path) -> Truth:
    """`NAME LABEL` a line, the label a wnid or a number of the sorted wnids; a list of other numbers gives nothing."""
    index, labels, numbers = imagenet_index(), {}, False
    for line in _text(file).splitlines():
        name, label, *_ = (*re.split(r"[\s,]+", line.strip()), "", "")
        if _WNID.fullmatch(wnid := label.lower()) and wnid in index:
            labels[picture_id(PurePosixPath(name).stem)] = index[wnid]
        elif label.isdecimal() and int(label) < len(index):
            labels[picture_id(PurePosixPath(name).stem)], numbers = int(label), True
        elif label:
            return Truth(file, {})
    return Truth(file, labels, numbers)


_NAME = re.compile(rf"<name>\s*({WNID})\s*</name>")


def _xml(folder: Path) -> Iterator[tuple[str, int]]:
    """The class of the first object of each annotation: all objects of a validation image are of one class."""
    index = imagenet_index()
    for file in folder.glob("ILSVRC2012_val_*.xml"):
        if (found := _NAME.search(_text(file))) and found[1] in index:
            yield file.stem, index[found[1]]


_FORMS: tuple[tuple[str, Callable[[Path], Truth]], ...] = (
    ("LOC_val_solution.csv", _kaggle),
    ("ILSVRC2012_devkit_t12.tar.gz", _devkit_archive),
    ("imagenet_2012_validation_synset_labels.txt", _synset_lines),
    ("valprep.sh", _script),
    ("val.txt", _list),
    ("meta/val.txt", _list),
    ("val_list.txt", _list),
    ("val_map.txt", _list),
    ("val_annotations.txt", _list),
)
_TABLES = frozenset({"LOC_val_solution.csv", "imagenet_2012_validation_synset_labels.txt", "valprep.sh"})
"""Names that are ground truth and nothing else."""

EXPECTED = "LOC_val_solution.csv, ILSVRC2012_devkit_t12, valprep.sh or a list of NAME LABEL"
