"""Diagnostics on a model's page."""

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
from bench.figures import style
from bench.folder.reader import ResultsFolder

LABELS = {
    ("batchnorm", "clean_shift"): "stored means against means on clean images",
    ("batchnorm", "adversarial_shift"): "means on adversarial against clean images",
    ("batchnorm", "corrupted_shift"): "means on corrupted against clean images",
    ("batchnorm", "between_domain"): "share of variance between clean and adversarial images",
    ("batchnorm", "dead_channels"): "channels with almost no variance",
    ("batchnorm", "adversarial_accuracy"): "adversarial accuracy with running statistics",
    ("batchnorm", "adversarial_accuracy_batch64"): "adversarial accuracy with statistics of batches of 64",
    ("smoothness", "gradient_cosine"): "cosine of gradients at neighbouring points",
    ("margin", "median_distance"): "smallest perturbation that changes the prediction, median",
    ("margin", "area"): "area under the curve of accuracy against eps",
}
"""Findings shown first on a model's page, in this order; the suites' sections have the others."""


@dataclass(frozen=True)
class FindingView:
    """One number of a diagnosis, with its text."""

    label: str
    text: str
    anchor: str


def findings(table: pd.DataFrame) -> list[FindingView]:
    """Return findings from one model's rows of `bench.results`, of several runs those of most images; empty without a
    diagnosis."""
    whole = table[table["condition"] == "all"].sort_values("n", kind="stable")
    found = {(row["suite"], row["metric"]): row for row in whole.to_dict("records")}
    return [_finding(label, found[key], key[0]) for key, label in LABELS.items() if key in found]


def read(folder: ResultsFolder) -> dict[str, Diagnosis]:
    """Return the diagnosis of each model with complete channel moments."""
    if not any(run.suite in SUITES for run in folder.suite_runs()):
        return {}
    try:
        return read_diagnoses(folder)
    except IncompleteError:
        return {}


def sentences(diagnosis: Diagnosis) -> list[DiagnosticFinding]:
    """Return the findings of `bench diagnose`, except those that need the weights."""
    none = pd.DataFrame()
    return sentences_on(diagnosis, none, none)


@dataclass(frozen=True)
class DiagnosisFigure:
    """A figure of a diagnosis as WebP, by the name of its file."""

    name: str
    title: str
    data: bytes


def drawn(diagnosis: Diagnosis) -> Iterator[DiagnosisFigure]:
    """Return the figures that need only records; those without measurements are left out."""
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
    style.end_at_100(figure).savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    with Image.open(buffer) as picture:
        return webp(picture.convert("RGB"))


def _finding(label: str, row: Mapping[Any, Any], suite: str) -> FindingView:
    scale, unit = (100.0, "%") if row["unit"] == "share" else (1.0, str(row["unit"]))
    value, low, high = (figure(float(row[part]) * scale, unit) for part in ("value", "low", "high"))
    interval = "" if isnan(float(row["low"])) else f" [{low}, {high}]"
    return FindingView(label, f"{value}{interval} {unit}, n {int(row['n']):,}", suite)
