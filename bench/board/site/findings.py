"""What diagnostics found of a model: the one place where this site touches them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from bench.board.site.view import figure
from bench.diagnosis.findings import DiagnosticFinding
from bench.diagnosis.findings import findings as sentences_on
from bench.diagnosis.read import SUITES, read_diagnoses
from bench.errors import IncompleteError
from bench.folder.reader import ResultsFolder

LABELS = {
    ("batchnorm", "clean_shift"): "stored means against those observed on clean pictures",
    ("batchnorm", "adversarial_shift"): "means on adversarial against clean pictures",
    ("batchnorm", "corrupted_shift"): "means on corrupted against clean pictures",
    ("batchnorm", "between_domain"): "share of variance that lies between clean and adversarial pictures",
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


def sentences(folder: ResultsFolder) -> dict[str, list[DiagnosticFinding]]:
    """What `bench diagnose` says of each model whose channel moments are complete, but for what needs its weights."""
    if not any(run.suite in SUITES for run in folder.suite_runs()):
        return {}
    try:
        diagnoses = read_diagnoses(folder)
    except IncompleteError:
        return {}
    none = pd.DataFrame()
    return {model: sentences_on(diagnosis, none, none) for model, diagnosis in diagnoses.items()}


def _finding(label: str, row: Mapping[Any, Any], suite: str) -> FindingView:
    scale, unit = (100.0, "%") if row["unit"] == "share" else (1.0, str(row["unit"]))
    value, low, high = (figure(float(row[part]) * scale, unit) for part in ("value", "low", "high"))
    interval = "" if isnan(float(row["low"])) else f" [{low}, {high}]"
    return FindingView(label, f"{value}{interval} {unit}", suite)
