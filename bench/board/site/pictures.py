"""Small images on a model's page: those misclassified with the largest margin, and attacked ones."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from bench.condition import Condition
from bench.datasets.base import Dataset
from bench.datasets.content import UnreadableError
from bench.datasets.labels import class_names
from bench.datasets.table import SETS, DataRoots, open_dataset
from bench.errors import BenchError
from bench.folder.kept import KeptPictures
from bench.folder.reader import SuiteRun
from bench.folder.survey import Survey
from bench.rounding import decimal

SIDE = 96
"""Pixels of the longer side."""

ATTACKED = 6
"""Number of attacked images on a page without `--thumbnails`."""


@dataclass(frozen=True)
class Thumbnail:
    """One image as a data URI, its label, the prediction, and the confidence."""

    uri: str
    image_id: str
    label: str
    prediction: str
    confidence: str


@dataclass(frozen=True)
class AttackedPicture:
    """One image before and after an attack, and the difference, as data URIs; classes by name."""

    clean: str
    attacked: str
    difference: str
    image_id: str
    label: str
    prediction: str
    times: int


@dataclass(frozen=True)
class AttackedPictures:
    """The attacked images of one condition: how many were kept, how many became misclassified, and some of these."""

    condition: str
    kept: int
    broken: int
    shown: list[AttackedPicture]


FAULTS = (
    BenchError,
    UnreadableError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    Image.DecompressionBombError,
)
"""Errors of missing, damaged or foreign images and tables; the numbers do not depend on them."""

LARGEST = 4096
"""Maximum pixels of the longer side of an attacked image."""


def attacked_pictures(
    found: Survey, runs: list[SuiteRun], kept: KeptPictures | None, count: int
) -> AttackedPictures | None:
    """Return the attacked images of the model's attack with the largest available budget; None if there are none.

    kept: the folder; None for the one that the model's own runs used, if it is within reach of a results folder of
    unknown origin (`KeptPictures.told_by_a_run`)
    """
    told = [(run, c, kept or _kept(run, found)) for run in runs for c in run.cells if Condition.parse(c).attack]
    for run, condition, where in sorted(told, key=lambda t: -float(Condition.parse(t[1]).attack.eps)):  # type: ignore[union-attr]
        if where is None or run.name != run.model:  # the folder cannot tell two models of one name apart
            continue
        try:
            table = where.table(run.name, condition)
            broken = table[table["broken_by"].notna() & (table["broken_by"] != "clean")] if len(table) else table
            if len(broken):
                space = found.cell(run.cells[condition]).protocol.labels
                shown = list(_attacked(where, run.name, condition, broken.head(count or ATTACKED), space))
                return AttackedPictures(condition, len(table), len(broken), shown)
        except FAULTS:
            continue
    return None


def kept_elsewhere(found: Survey, runs: list[SuiteRun]) -> str:
    """The folder in which one of the model's runs kept attacked pictures, if it is none that a page reads untold."""
    for run in runs:
        told = run.given.keep_adversarial if run.given else None
        attacked = any(Condition.parse(condition).attack for condition in run.cells)
        if told and attacked and run.name == run.model and _kept(run, found) is None:
            return str(KeptPictures.split(str(told)).folder)
    return ""


def _kept(run: SuiteRun, found: Survey) -> KeptPictures | None:
    try:
        told = run.given.keep_adversarial if run.given else None
        return KeptPictures.told_by_a_run(str(told), found.folder.store.address) if told else None
    except BenchError:
        return None


def _attacked(
    where: KeptPictures, model: str, condition: str, rows: pd.DataFrame, space: str
) -> Iterator[AttackedPicture]:
    for row in rows.to_dict("records"):
        folders = (where.before(model, condition), where.of(model, condition))
        before, after = (_read(where.picture(folder, row["image_id"])) for folder in folders)
        change = after - before
        times = max(1, round(127 / max(1, np.abs(change).max())))
        yield AttackedPicture(
            _uri(_picture(before)),
            _uri(_picture(after)),
            _uri(_picture(128 + times * change)),
            row["image_id"],
            class_name(space, row["label"]),
            class_name(space, row["prediction"]),
            times,
        )


def _read(data: bytes) -> np.ndarray:
    """`int [h, w, 3]`, 0 to 255. Raises `ValueError` for an image that is larger than any model's input."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        if max(picture.size) > LARGEST:
            raise ValueError(f"{picture.size} pixels, where an attacked image has {LARGEST} a side at most")
        return np.asarray(picture.convert("RGB")).astype(int)


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def worst_pictures(found: Survey, runs: list[SuiteRun], roots: DataRoots, count: int) -> list[Thumbnail]:
    """Return images of the model's first clean condition with available images; empty if there is none."""
    for run in runs if count else ():
        for condition, cell_id in run.cells.items():
            parsed = Condition.parse(condition)
            plain = parsed.clean and not parsed.probes and not parsed.split and parsed.dataset in SETS
            if plain and cell_id in found.folder.cells:
                try:
                    return _of_cell(found.folder.load(cell_id).records, parsed.dataset, roots, count)
                except FAULTS:
                    continue  # the data are elsewhere, or of another version
    return []


def _of_cell(records: pd.DataFrame, dataset: str, roots: DataRoots, count: int) -> list[Thumbnail]:
    pictures = open_dataset(dataset, roots, "")
    index = {name: i for i, name in enumerate(pictures.ids)}
    wrong = records[records["scored"] & (records["prediction"] != records["label"])]
    worst = wrong.sort_values("margin").head(count)
    return [
        Thumbnail(
            _uri_of(pictures, index[row["image_id"]]),
            row["image_id"],
            class_name(pictures.labels, row["label"]),
            class_name(pictures.labels, row["prediction"]),
            f"{decimal(100 * row['confidence'], '.0f')} %",
        )
        for row in worst.to_dict("records")
    ]


def class_name(space: str, index: float) -> str:
    """Return the class by its name, if it has one, else by its number."""
    names = class_names(space)
    return names[int(index)] if 0 <= index < len(names) else f"{index:.0f}"


def _uri(picture: Image.Image) -> str:
    small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _uri_of(pictures: Dataset, index: int) -> str:
    """Return an image of a data set; None for one that cannot be read, without affecting others."""
    try:
        return _uri(pictures.read(index))
    except FAULTS:
        return ""


def small_pictures(dataset: str, names: Sequence[str], roots: DataRoots) -> list[str]:
    """Return the images of these ids as data URIs; empty if the data are not available."""
    try:
        pictures = open_dataset(dataset, roots, "")
        index = {name: i for i, name in enumerate(pictures.ids)}
        return [_uri_of(pictures, index[name]) for name in names]
    except FAULTS:
        return []
