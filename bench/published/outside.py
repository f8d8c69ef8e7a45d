"""Numbers that were not measured here: the cards', the papers' (results/published.csv), RobustBench's, timm's.

They stand beside measured ones in columns of their own, with their source. What somebody only remembered, or derived
from other numbers, is left out.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import UsageError
from bench.published.shipped import shipped
from model_zoo.registry import cards, split_branch
from model_zoo.schema import loads

NOT_EVIDENCE = ("recollection", "derived")
"""Words by which a row says that it is nobody's published number."""

TIMM_SETS = {
    "results-imagenet": "clean top-1",
    "results-imagenet-a": "ImageNet-A top-1",
    "results-imagenet-a-clean": "clean top-1 on the 200 ImageNet-A classes",
    "results-imagenet-r": "ImageNet-R top-1",
    "results-imagenet-r-clean": "clean top-1 on the 200 ImageNet-R classes",
    "results-imagenet-real": "ImageNet-ReaL top-1",
    "results-sketch": "ImageNet-Sketch top-1",
    "results-imagenetv2-matched-frequency": "ImageNet-V2 matched-frequency top-1",
}
"""timm's files (huggingface/pytorch-image-models, results/) and what their `top1` is."""

ROBUSTBENCH = {
    "clean_acc": "clean top-1",
    "autoattack_acc": "AutoAttack",
    "corruptions_acc": "ImageNet-C mean acc",
    "corruptions_mce": "ImageNet-C mCE",
}
"""Keys of RobustBench's model_info and what they are."""


@dataclass(frozen=True)
class Published:
    """One number of somebody else's. `by` is `authors` where the model's authors claim it, else who measured it."""

    model: str
    metric: str
    value: float
    unit: str
    protocol: str
    source: str
    by: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.model}, {self.metric}: {self.value} is no published number")


def of_card(model: str) -> list[Published]:
    """What the card of a measured model reports; nothing for a model without a card."""
    card = cards().get(split_branch(model).base)
    numbers = (
        [Published(model, n.metric, n.value, n.unit, n.protocol, n.source, n.by) for n in card.reported] if card else []
    )
    return [number for number in numbers if _is_evidence(number) and not _of_another_branch(number)]


def _of_another_branch(number: Published) -> bool:
    """Cards of tiny models report every branch."""
    named = re.search(r", branch (\w+),", number.protocol)
    return named is not None and named[1] != split_branch(number.model).branch


def published_table() -> list[Published]:
    """The rows of results/published.csv; none where an installation lacks the file."""
    file = shipped("published.csv")
    rows = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))) if file.is_file() else ()
    return list(_from_table(rows))


def read_outside(path: Path) -> list[Published]:
    """RobustBench's model_info (one JSON file, or their folder), timm's results CSV, or a CSV like published.csv.

    Raises `UsageError` for a file that is none of these.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix == ".json" or file.stem in TIMM_SETS)
        if not files:
            raise UsageError(f"--outside {path}: expected RobustBench's JSON or timm's results-*.csv files, found none")
        return [number for file in files for number in read_outside(file)]
    try:
        text = path.read_text(encoding="utf-8-sig")
        return list(_robustbench(path, text) if path.suffix == ".json" else _table(path, text))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, csv.Error) as error:
        raise UsageError(
            f"--outside {path}: expected RobustBench's model_info JSON, timm's results CSV (named as in timm), or the "
            f"columns of results/published.csv; found {type(error).__name__}: {error}"
        ) from None


def _robustbench(path: Path, text: str) -> Iterator[Published]:
    info = loads(text)
    for key, metric in ROBUSTBENCH.items():
        if str(info.get(key) or "").strip():
            attacked = f"standard AutoAttack Linf eps={info['eps']}, 5000 images"
            protocol = attacked if metric == "AutoAttack" else "RobustBench's 5000 images"
            unit = "mCE" if key == "corruptions_mce" else "%"
            source = f"RobustBench model_info {path.name}"
            yield Published(f"robustbench:{path.stem}", metric, float(info[key]), unit, protocol, source, "RobustBench")


def _table(path: Path, text: str) -> Iterator[Published]:
    reader = csv.DictReader(io.StringIO(text))
    if "top1" not in (reader.fieldnames or ()):
        yield from _from_table(reader)
        return
    metric = TIMM_SETS[path.stem]
    for row in reader:
        shown = f"timm validate.py, {row['img_size']}px, crop_pct {row['crop_pct']}, {row['interpolation']}"
        yield Published(f"timm:{row['model']}", metric, float(row["top1"]), "%", shown, path.name, "timm")


def _from_table(rows: Iterable[Mapping[str, str]]) -> Iterator[Published]:
    """published.csv names RobustBench's models in `method`, timm's in `model`; of the others it is both."""
    for row in rows:
        name = " ".join(dict.fromkeys((row["method"], row["model"])))
        if row["paper"].startswith("RobustBench"):
            name = f"robustbench:{row['method']}"
        elif "(timm)" in row["paper"]:
            name = f"timm:{row['model']}"
        number = Published(
            name, row["metric"], float(row["value"]), row["unit"], row["protocol"], row["source"], row["paper"]
        )
        if _is_evidence(number):
            yield number


def _is_evidence(number: Published) -> bool:
    text = f"{number.protocol} {number.source} {number.by}".casefold()
    return not any(word in text for word in NOT_EVIDENCE)


def of_model(model: str, others: Iterable[Published]) -> list[Published]:
    """All that is known of a measured model: its card's numbers, then those of `others` that bear its name.

    Other zoos' models are found with and without their prefix.
    """
    base = split_branch(model).base
    named = [replace(n, model=model) for n in others if base in (n.model, n.model.partition(":")[2])]
    return list(dict.fromkeys([*of_card(model), *named]))
