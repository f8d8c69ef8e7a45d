"""Accepted numbers: one small JSON file per model variant, each condition with one bit per image.

::

    BASELINE/MODEL.json    weights' hash, input, the runs that made the numbers, and per condition: protocol, n,
                           how many were right, which ones (a bit an image, in the data set's order), records' hash

A bit an image is all that the exact paired test needs, so 50,000 images take 8 kB.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import StoreError, UsageError
from bench.files import file_name
from bench.options import RunOptions
from bench.options import run as options
from bench.record import Cell, Protocol
from bench.store import Store
from model_zoo.schema import SchemaError, loads, parse

FORMAT = 1

OPTIONS = tuple(name for name, option in options.OPTIONS.items() if option.role == "number")
"""What a measure may ask of `bench.run`: what changes a number, and nothing that names a file, folder or device."""


@dataclass(frozen=True)
class RunSpec:
    """One call of `bench.run`: a suite of one version with its options (`limit`, `protocol`, `eps`, ...)."""

    suite: str
    version: int
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Write the options in their one form. Raises `SchemaError` for what a measure may not ask."""
        for name in self.options:
            if name not in OPTIONS:
                raise SchemaError(f"a measure has no option {name!r}; it has {', '.join(OPTIONS)}")
        object.__setattr__(self, "options", self.run_options.changed())

    @property
    def run_options(self) -> RunOptions:
        """The options as a run takes them."""
        try:
            return RunOptions.of(self.options)
        except UsageError as error:
            raise SchemaError(f"option {error}") from None

    @property
    def key(self) -> str:
        """Equal for measures that one run can make together."""
        return json.dumps([self.suite, dict(self.options)], sort_keys=True)


@dataclass(frozen=True)
class AcceptedCell:
    """One accepted number: under `protocol`, `correct` of `scored` images were right, `right` says which."""

    suite: str
    seed: int
    protocol: Protocol
    scored: int
    correct: int
    right: str
    seen: str
    records: str

    def __post_init__(self) -> None:
        """The bits are as many as the images and say what the counts say."""
        images = self.protocol.images
        right, seen = _unpack(self.right, images), self._seen(images)
        if (int(right.sum()), int(seen.sum())) != (self.correct, self.scored) or (right & ~seen).any():
            raise ValueError(f"{self.protocol.condition}: its bits say otherwise than {self.correct} of {self.scored}")

    def _seen(self, count: int) -> NDArray[np.bool_]:
        """Which images were scored; none of them said stands for every one."""
        return _unpack(self.seen, count) if self.seen else np.ones(count, dtype=bool)

    def frame(self, measured: pd.DataFrame) -> pd.DataFrame:
        """Records with the ids and labels of `measured`, the same images; a wrong prediction is -1."""
        right, seen = _unpack(self.right, len(measured)), self._seen(len(measured))
        labels = measured["label"].to_numpy()
        return pd.DataFrame(
            {
                "image_id": measured["image_id"].to_numpy(),
                "label": labels,
                "prediction": np.where(right, labels, -1),
                "scored": seen,
            }
        )


@dataclass(frozen=True)
class Baseline:
    """What is accepted of one model variant."""

    model: str
    weights: str
    input: Mapping[str, Any]
    measures: tuple[RunSpec, ...]
    cells: tuple[AcceptedCell, ...]


def accepted(suite: str, cell: Cell, records: pd.DataFrame) -> AcceptedCell:
    """The measured records of a cell, as they would be accepted."""
    seen = records["scored"].to_numpy(dtype=bool)
    right = seen & (records["prediction"].to_numpy() == records["label"].to_numpy()).astype(bool)
    every = "" if seen.all() else _pack(seen)
    return AcceptedCell(
        suite, cell.seed, cell.protocol, int(seen.sum()), int(right.sum()), _pack(right), every, records_hash(records)
    )


def records_hash(records: pd.DataFrame) -> str:
    """SHA-256 of what was shown and what was answered; floats are left out, for they vary with the machine."""
    table = records[["image_id", "label", "prediction", "scored"]].astype({"prediction": "Int64"})
    return hashlib.sha256(table.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def write_baseline(directory: Path, baseline: Baseline) -> Path:
    """Put the file whole."""
    content = {"format": FORMAT, **asdict(baseline)}
    name = baseline_name(baseline.model)
    Store(directory).put(name, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())
    return directory / name


def read_baseline(path: Path) -> Baseline:
    """Raises `StoreError` for a file that is damaged, half written, of another format, or contradicts itself."""
    try:
        data = loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise SchemaError("expected an object")
        found = data.pop("format")
        if found != FORMAT:
            raise StoreError(f"{path}: expected format {FORMAT}, found {found!r}; next: bench check --update")
        baseline = cast(Baseline, parse(Baseline, data, "baseline"))
    except (ValueError, KeyError, OSError) as error:
        raise StoreError(f"{path}: not a baseline ({error}); restore it, or next: bench check --update") from None
    if path.name != baseline_name(baseline.model):
        raise StoreError(f"{path}: holds {baseline.model!r}, which belongs into {baseline_name(baseline.model)}")
    return baseline


def baseline_files(directory: Path) -> Iterator[Path]:
    """Every model's file, by name; what begins with a dot was never finished."""
    return (path for path in sorted(directory.glob("*.json")) if not path.name.startswith("."))


def baseline_name(model: str) -> str:
    """The file of `model`, whatever characters its name has."""
    return f"{file_name(model)}.json"


def _pack(bits: NDArray[np.bool_]) -> str:
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def _unpack(text: str, count: int) -> NDArray[np.bool_]:
    """`count` bits."""
    data = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    if len(data) != -(-count // 8):
        raise ValueError(f"expected {count} bits, found {8 * len(data)}")
    return np.unpackbits(data, count=count).astype(bool)
