"""Numbers measured by others: those of cards, of the papers (results/published.csv), of RobustBench and of timm.

Tables show them in separate columns, with their source.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.published.table import COLUMNS, Published, read_rows
from model_zoo.errors import ZooError, suggestion
from model_zoo.registry import by_other_name, cards, split_branch
from model_zoo.reported import ReportedMetric, ReportedNumber
from model_zoo.schema import loads, parse

TIMM_SETS: dict[str, tuple[str, ReportedMetric]] = {
    "results-imagenet": ("imagenet", "accuracy"),
    "results-imagenet-a": ("imagenet-a", "accuracy_200"),
    "results-imagenet-a-clean": ("imagenet-a-clean", "accuracy_200"),
    "results-imagenet-r": ("imagenet-r", "accuracy_200"),
    "results-imagenet-r-clean": ("imagenet-r-clean", "accuracy_200"),
    "results-imagenet-real": ("imagenet", "real_accuracy"),
    "results-sketch": ("imagenet-sketch", "accuracy"),
    "results-imagenetv2-matched-frequency": ("imagenet-v2", "accuracy_matched_frequency"),
}
"""timm's results file (huggingface/pytorch-image-models, results/) -> the data set and metric of its `top1`."""

NEEDED = ("model", "metric", "value", "dataset", "source")
"""Columns that another table has at least: a number without its data set would be taken for ImageNet's."""

NORMS = {"Linf": "linf", "L2": "l2"}
"""RobustBench's folders; a file that lies elsewhere writes budgets in Linf as fractions."""

SUBSET = "5000 images"
"""Subset of RobustBench's corrupted images; no suite here has it."""


def of_card(model: str) -> list[Published]:
    """Return the numbers that a measured model's card reports for its branch; none without a card."""
    base, branch = split_branch(model)
    card = cards().get(base) or by_other_name().get(base)
    if card is None:
        return []
    found = [Published(model, n, card=card.name) for n in card.reported if n.branch in ("", branch)]
    return [published for published in found if published.is_evidence]


def read_outside(path: Path) -> list[Published]:
    """Read RobustBench's model_info (a JSON file or the folder), a results CSV of timm, or a CSV like published.csv.

    Raises `UsageError` for other files.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix == ".json" or file.stem in TIMM_SETS)
        if not files:
            raise UsageError(f"--outside {path}: expected RobustBench's JSON or timm's results-*.csv files, found none")
        return [number for file in files for number in read_outside(file)]
    try:
        text = path.read_text(encoding="utf-8-sig")
        return list(_robustbench(path, text) if path.suffix == ".json" else _table(path, text))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, csv.Error, ZooError) as error:
        raise UsageError(
            f"--outside {path}: expected RobustBench's model_info JSON, timm's results CSV (named as in timm), or the "
            f"columns of results/published.csv; found {type(error).__name__}: {error}"
        ) from None


def _robustbench(path: Path, text: str) -> Iterator[Published]:
    info = loads(text)
    dataset = str(info["dataset"])
    told = {"source": f"RobustBench model_info {path.name}", "by": "RobustBench"}
    pictures = {"dataset": "robustbench-5k" if dataset == "imagenet" else dataset}
    eps = str(info.get("eps", ""))
    norm = NORMS.get(path.parent.name) or ("linf" if "/" in eps else "l2")
    kinds: dict[str, dict[str, Any]] = {
        "clean_acc": {"metric": "accuracy", **pictures},
        "autoattack_acc": {"metric": "robust_accuracy", **pictures, "attack": "autoattack", "norm": norm, "eps": eps},
        "corruptions_acc": {"metric": "mean_accuracy", "dataset": f"{dataset}-c", "subset": SUBSET},
        "corruptions_mce": {"metric": "mce", "unit": "mCE", "dataset": f"{dataset}-c", "subset": SUBSET},
    }
    if not kinds.keys() & info.keys():
        raise KeyError(f"none of {', '.join(kinds)}")
    for key, fields in kinds.items():
        if str(info.get(key) or "").strip():
            number = parse(ReportedNumber, {**fields, **told, "value": float(info[key])}, key)
            yield Published(f"robustbench:{path.stem}", number)


def _table(path: Path, text: str) -> Iterator[Published]:
    reader = csv.DictReader(io.StringIO(text))
    columns = reader.fieldnames or ()
    if "top1" not in columns:
        _require_columns(columns)
        rows = ({**row, "by": row.get("by") or path.name} for row in map(_whole, reader))
        yield from read_rows(rows)
        return
    dataset, metric = TIMM_SETS[path.stem]
    for row in map(_whole, reader):
        if abs(float(row["top1"]) + float(row.get("top1_err") or 100 - float(row["top1"])) - 100) > 0.01:
            raise ValueError(f"{row['model']}: top1 and top1_err add up to another number than 100: not in percent?")
        note = f"timm validate.py, {row['img_size']}px, crop_pct {row['crop_pct']}, {row['interpolation']}"
        number = ReportedNumber(
            metric, float(row["top1"]), path.name, dataset=dataset, size=int(row["img_size"]), note=note, by="timm"
        )
        yield Published(f"timm:{row['model']}", number)


def _require_columns(columns: Sequence[str]) -> None:
    """Raise `ValueError` for a column that is not read, and for one that is needed and missing."""
    for name in columns:
        if name not in COLUMNS:
            raise ValueError(f"column {name!r}, which is not read{suggestion(name, COLUMNS)}")
    if missing := [name for name in NEEDED if name not in columns]:
        raise ValueError(f"no column {', '.join(missing)}")


def _whole(row: dict[Any, Any]) -> dict[str, str]:
    """Return a row that has a cell for every column and no more. Raises `ValueError` for others."""
    if None in row or None in row.values():
        raise ValueError(f"{row.get('model')}: its row has not as many cells as there are columns")
    return row


def of_model(model: str, others: Iterable[Published], *, unlike_card: bool = False) -> list[Published]:
    """Return the published numbers of a measured model: its card's, then those of `others` with its name, or with a
    name of the same checkpoint in another zoo (its card's `also_named`).

    Two zoos may give one name to two checkpoints (timm's `efficientnet_lite0` is not TensorFlow's). A network from
    memory, or with other weights, may have the name of a known checkpoint without being it: only numbers of `others`
    with exactly its name are its own.
    """
    base = split_branch(model).base
    card = None if unlike_card else cards().get(base) or by_other_name().get(base)
    own = {base, *((card.name, *card.also_named) if card else ())}
    named = [replace(n, model=model) for n in others if not (n.card or n.figure) and n.model in own]
    return list(dict.fromkeys([*([] if unlike_card else of_card(model)), *named]))
