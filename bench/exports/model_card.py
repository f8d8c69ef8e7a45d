"""Export as Hugging Face model cards: the `model-index` block with a model's scores, as the hub shows them."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import EvalResult, ModelCardData

from bench.condition import Condition
from bench.errors import IncompleteError
from bench.exports.base import Exported, chosen, not_exported
from bench.files import file_names
from bench.folder.reader import ResultsFolder
from bench.folder.results_table import as_frame
from bench.folder.suites import load_suites
from bench.folder.tables import collect
from bench.metrics.base import Shown
from bench.record import Cell
from bench.text import escape_unprintable
from model_zoo.registry import is_random

TASK = "image-classification"


def export_model_cards(directory: str | Path, out: Path, models: Sequence[str] = ()) -> Exported:
    """Write `MODEL.md` for every model into `out`: the block, and the same numbers as a table.

    Doubtful and unreliable numbers are marked. Models with random weights get no card.
    """
    folder = ResultsFolder(directory)
    table = as_frame(collect(load_suites(folder)))
    cells = {cell.protocol.hash: cell for cell in folder.cells.values()}
    wanted = [name for name in chosen(table, models) if not is_random(name)]
    names, files = file_names(wanted), []
    out.mkdir(parents=True, exist_ok=True)
    for model in wanted:
        mine = table[table["model"] == model].drop_duplicates(["condition", "metric", "protocol", "value"])
        rows = [row for row in mine.to_dict("records") if math.isfinite(row["value"])]
        if rows:
            files.append(out / f"{names[model]}.md")
            said = dict.fromkeys(line for run in folder.suite_runs() if run.model == model for line in run.remarks())
            files[-1].write_text(card_text(model, rows, cells, list(said)), encoding="utf-8")
    if not files:
        raise IncompleteError(f"{directory}: nothing is complete; `bench results {directory}` says what is missing")
    return Exported(tuple(files), not_exported(folder, table))


def card_text(
    model: str, rows: Sequence[Mapping[Any, Any]], cells: Mapping[str, Cell], remarks: Sequence[str] = ()
) -> str:
    """Return the file's text: YAML between dashes, `remarks` on the model, then a table of rows of `bench.results`."""
    data = ModelCardData(
        model_name=escape_unprintable(model), pipeline_tag=TASK, eval_results=[_result(row, cells) for row in rows]
    )
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|---|---|---:|---|---:|---|"]
    lines += [f"| {' | '.join(map(_cell, _line(row)))} |" for row in rows]
    said = "".join(f"{_cell(line)}\n\n" for line in ("Measured with robust-imagenet-bench.", *remarks))
    return f"---\n{data.to_yaml()}\n---\n\n# {_cell(model)}\n\n{said}" + "\n".join(lines) + "\n"


_COLUMNS = ("suite", "condition", "metric", "value", "95 % interval", "n", "protocol")


def _line(row: Mapping[Any, Any]) -> tuple[str, ...]:
    shown = Shown.of(row["unit"])
    ends = f"[{shown.text(row['low'])}, {shown.text(row['high'])}]" if math.isfinite(row["low"]) else ""
    value = f"{shown.text(row['value'])} {shown.sign}".strip()
    return row["suite"], row["condition"], _metric_name(row), value, ends, str(row["n"]), row["protocol"]


def _cell(text: str) -> str:
    return escape_unprintable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _metric_name(row: Mapping[Any, Any]) -> str:
    """Return the metric's name with remarks that restrict its value: verdict, subset."""
    doubts = [row["reliability"] if row["reliability"] != "reliable" else "", row["subset"]]
    told = "; ".join(filter(None, doubts))
    return f"{row['metric']} ({told})" if told else str(row["metric"])


def _result(row: Mapping[Any, Any], cells: Mapping[str, Cell]) -> EvalResult:
    """Return one number as the hub's record: data set, metric with interval and n, hash of the protocol.

    The hub merges results with equal data set, configuration, split and revision and keeps the first one's arguments.
    So the revision is the protocol's hash, and everything else that distinguishes numbers belongs to the metric.
    """
    condition = Condition.parse(row["condition"]) if row["condition"] != "all" else None
    dataset = condition.dataset if condition else row["suite"]
    told = cells[row["protocol"]].protocol if row["protocol"] in cells else None
    return EvalResult(
        task_type=TASK,
        task_name="Image Classification",
        dataset_type=dataset,
        dataset_name=dataset,
        dataset_config=row["condition"] if condition else f"{row['suite']}, all conditions",
        dataset_split=(condition.split or None) if condition else None,
        dataset_revision=row["protocol"],
        dataset_args={"preprocessing": told.preprocessing, "pictures": told.manifest} if told else None,
        metric_type=row["metric"],
        metric_name=_metric_name(row),
        metric_value=_plain(row["value"]),
        metric_args={
            "low": _plain(row["low"]),
            "high": _plain(row["high"]),
            "n": int(row["n"]),
            "unscored": int(row["unscored"]),
            "unit": row["unit"],
            "suite": row["suite"],
            **({"reliability": row["reliability"]} if row["reliability"] else {}),
        },
    )


def _plain(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
