"""What diagnostics found of a model: the one place where this site touches them."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from bench.board.site.files import webp
from bench.board.site.view import figure
from bench.diagnosis import edge_figures, figures
from bench.diagnosis.findings import DiagnosticFinding
from bench.diagnosis.findings import findings as sentences_on
from bench.diagnosis.read import SUITES, Diagnosis, read_diagnoses
from bench.errors import IncompleteError
from bench.folder.reader import ResultsFolder

LABELS = {
    ("batchnorm", "clean_shift"): "stored means against those observed on clean images",
    ("batchnorm", "adversarial_shift"): "means on adversarial against clean images",
    ("batchnorm", "corrupted_shift"): "means on corrupted against clean images",
    ("batchnorm", "between_domain"): "share of variance that lies between clean and adversarial images",
    ("batchnorm", "dead_channels"): "channels of hardly any variance",
    ("batchnorm", "adversarial_accuracy"): "adversarial accuracy with running statistics",
    ("batchnorm", "adversarial_accuracy_batch64"): "adversarial accuracy with those of batches of 64",
    ("smoothness", "gradient_cosine"): "cosine of gradients at neighbouring points",
    ("margin", "median_distance"): "smallest perturbation that changes the prediction, median",
    ("margin", "area"): "area under accuracy against eps",
}
"""What a reader of a model's page looks for first, in this order; the suites' own sections below have the rest."""


@dataclass(frozen=True)
class FindingView:
    """One number of a diagnosis, in words."""

    label: str
    text: str
    anchor: str


def findings(table: pd.DataFrame) -> list[FindingView]:
    """Collect findings from one model's rows of `bench.results`; nothing where nothing was diagnosed."""
    whole = table[table["condition"] == "all"]
    found = {(row["suite"], row["metric"]): row for row in whole.to_dict("records")}
    return [_finding(label, found[key], key[0]) for key, label in LABELS.items() if key in found]


def read(folder: ResultsFolder) -> dict[str, Diagnosis]:
    """The diagnosis of each model whose channel moments are complete."""
    if not any(run.suite in SUITES for run in folder.suite_runs()):
        return {}
    try:
        return read_diagnoses(folder)
    except IncompleteError:
        return {}


def sentences(diagnosis: Diagnosis) -> list[DiagnosticFinding]:
    """What `bench diagnose` says of a model, but for what needs its weights."""
    none = pd.DataFrame()
    return sentences_on(diagnosis, none, none)


@dataclass(frozen=True)
class DiagnosisFigure:
    """A figure of a diagnosis as WebP, by the name of its file."""

    name: str
    title: str
    data: bytes


def drawn(diagnosis: Diagnosis) -> Iterator[DiagnosisFigure]:
    """The figures that need nothing but records: what was not measured is left out."""
    of_one = {diagnosis.model: diagnosis}
    made: dict[str, tuple[str, Callable[[], Figure | None]]] = {
        "layers": ("Batch norm by layer", lambda: figures.layer_figure(diagnosis)),
        "propagation": ("Signal propagation", lambda: figures.propagation_figure(of_one)),
        "consistency": ("Running statistics against those of a batch", lambda: figures.consistency_figure(diagnosis)),
        "adaptation": ("Statistics re-estimated on corrupted images", lambda: figures.adaptation_figure(diagnosis)),
        "smoothness": ("Smoothness of the loss", lambda: edge_figures.smoothness_figure(of_one)),
        "margin": ("Distance to the decision boundary", lambda: edge_figures.margin_figure(of_one)),
    }
    for name, (title, draw) in made.items():
        wanted = name not in ("smoothness", "margin") or diagnosis.cells.get(name)
        figure = draw() if wanted else None
        if figure is not None:
            yield DiagnosisFigure(name, title, drawn_picture(figure))


def drawn_picture(figure: Figure) -> bytes:
    """A figure as WebP."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    with Image.open(buffer) as picture:
        return webp(picture.convert("RGB"))


def _finding(label: str, row: Mapping[Any, Any], suite: str) -> FindingView:
    scale, unit = (100.0, "%") if row["unit"] == "share" else (1.0, str(row["unit"]))
    value, low, high = (figure(float(row[part]) * scale, unit) for part in ("value", "low", "high"))
    interval = "" if isnan(float(row["low"])) else f" [{low}, {high}]"
    return FindingView(label, f"{value}{interval} {unit}", suite)
