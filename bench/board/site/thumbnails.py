"""A model's worst pictures: those it gets wrong with the widest margin, small, as part of the page."""

import base64
import io
from dataclasses import dataclass

import pandas as pd
from PIL import Image

from bench.condition import Condition
from bench.datasets.labels import class_names
from bench.datasets.table import SETS, DataRoots, open_dataset
from bench.errors import BenchError
from bench.folder.reader import SuiteRun
from bench.folder.survey import Survey

SIDE = 96
"""Pixels of the longer side."""


@dataclass(frozen=True)
class Thumbnail:
    """One picture as a data URI, its label, what the model says, and by how much."""

    uri: str
    image_id: str
    label: str
    prediction: str
    confidence: str


def worst_pictures(found: Survey, runs: list[SuiteRun], roots: DataRoots, count: int) -> list[Thumbnail]:
    """Pictures of the model's first clean condition whose pictures are at hand; empty where none are."""
    for run in runs if count else ():
        for condition, cell_id in run.cells.items():
            parsed = Condition.parse(condition)
            plain = parsed.clean and not parsed.probes and not parsed.split and parsed.dataset in SETS
            if plain and cell_id in found.folder.cells:
                try:
                    return _of_cell(found.folder.load(cell_id).records, parsed.dataset, roots, count)
                except (BenchError, KeyError):
                    continue  # the data are elsewhere, or of another version
    return []


def _of_cell(records: pd.DataFrame, dataset: str, roots: DataRoots, count: int) -> list[Thumbnail]:
    pictures = open_dataset(dataset, roots, "")
    index = {name: i for i, name in enumerate(pictures.ids)}
    wrong = records[records["scored"] & (records["prediction"] != records["label"])]
    worst = wrong.sort_values("margin").head(count)
    return [
        Thumbnail(
            _uri(pictures.read(index[row["image_id"]])),
            row["image_id"],
            _class_name(pictures.labels, row["label"]),
            _class_name(pictures.labels, row["prediction"]),
            f"{100 * row['confidence']:.0f} %",
        )
        for row in worst.to_dict("records")
    ]


def _class_name(space: str, index: float) -> str:
    """The class by its name, where it has one, else by its number."""
    names = class_names(space)
    return names[int(index)] if 0 <= index < len(names) else f"{index:.0f}"


def _uri(picture: Image.Image) -> str:
    small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
