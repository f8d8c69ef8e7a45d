"""A results folder read back: its runs, their cells, and the records, each part checked before it counts."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import pandas as pd
import pyarrow as pa

from bench.condition import Condition
from bench.diagnostics.table import SCHEMA
from bench.errors import StoreError, UsageError
from bench.known_models import ModelKey, labels, read_known_models
from bench.options import RunOptions
from bench.record import Cell, misfit
from bench.store import RELIABILITY, BadPart, Store, cell_ids, part_names, read_cell, read_measurement, read_part
from model_zoo.schema import SchemaError, loads, parse

FORMAT = 1
"""Version of `run.json`."""

LEVELS = ("reliable", "not assessed", "doubtful", "unreliable")
"""What a robust accuracy can be, from the best to the worst."""


@dataclass(frozen=True)
class Verdict:
    """Whether a robust accuracy can be believed, and why not; empty where nobody asked or nothing was attacked."""

    level: str = ""
    because: str = ""

    @classmethod
    def worst(cls, verdicts: Iterable["Verdict"]) -> "Verdict":
        """The worst of several conditions'."""
        asked = [verdict for verdict in verdicts if verdict.level]
        return max(asked, key=lambda verdict: LEVELS.index(verdict.level), default=cls())


@dataclass(frozen=True)
class LoadedCell:
    """A cell with its records, and what was measured of each unit as a whole (a frame a unit, if anything).

    `problems` says what keeps it from being complete; empty when all is there.
    """

    cell: Cell
    records: pd.DataFrame
    problems: tuple[str, ...]
    reliability: Verdict = field(default_factory=Verdict)
    measurements: tuple[pd.DataFrame, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every image of the data set has its record."""
        return not self.problems


@dataclass(frozen=True)
class SuiteRun:
    """What one run wanted of one model in one suite: its condition names and cells, and what the model was.

    `model` is what the folder calls it, `name` its own name. `version` is the suite's when the run was made, 0 in runs
    of older versions; `given` is what was asked for, None where it is not told in the options of this version.
    """

    suite: str
    model: str
    about: dict[str, Any]
    cells: dict[str, str]
    run: str
    version: int = 0
    given: RunOptions | None = None
    name: str = ""


class ResultsFolder:
    """Reads lazily: descriptions first, the records of a cell when they are asked for."""

    def __init__(self, address: str) -> None:
        self.store = Store(address)
        self.cells = {cell_id: read_cell(self.store, cell_id) for cell_id in cell_ids(self.store)}
        self.labels = labels(map(self._key, self.cells.values()), read_known_models(self.store))
        if not self.cells:
            raise StoreError(
                f"{address}: no results here (expected cells/ and runs/); "
                f"`bench run --model MODEL --suite SUITE --out {address}` makes some"
            )

    @functools.cached_property
    def _several_seeds(self) -> set[tuple[str, str]]:
        """Models, by name and fingerprint, that were measured twice alike but for the seed."""
        seeds: dict[tuple[str, str, str], set[int]] = {}
        for cell in self.cells.values():
            seeds.setdefault((cell.model, cell.fingerprint, cell.protocol.hash), set()).add(cell.seed)
        return {key[:2] for key, found in seeds.items() if len(found) > 1}

    def _key(self, cell: Cell) -> ModelKey:
        several = (cell.model, cell.fingerprint) in self._several_seeds
        return ModelKey(cell.model, cell.fingerprint, cell.seed if several else None)

    def label(self, cell: Cell) -> str:
        """What this folder calls the model of a cell: its name, and what tells it from others of that name."""
        return self.labels[self._key(cell)]

    @property
    def run_names(self) -> list[str]:
        """Ids of the runs that say what they wanted; a copy that was cut off may have left others."""
        return [run for run in self.store.names("runs") if "run.json" in self.store.names(f"runs/{run}")]

    def load(self, cell_id: str) -> LoadedCell:
        """The records of one cell in the data set's order, and what is missing or damaged."""
        cell = self.cells[cell_id]
        tables: list[pa.Table] = []
        measured: list[pd.DataFrame] = []
        problems: list[str] = []
        position = 0
        for unit, name in sorted(part_names(self.store, cell_id).items(), key=lambda item: item[0].start):
            part = read_part(self.store, cell_id, name)
            if isinstance(part, BadPart):
                problems.append(f"{part.key}: {part.problem}")
            elif unit.start < position:
                problems.append(f"cells/{cell_id}/{name}: overlaps the unit before it")
            elif part.num_rows != unit.stop - unit.start:
                problems.append(f"cells/{cell_id}/{name}: {part.num_rows} records for {unit.stop - unit.start} images")
            elif isinstance(measurement := read_measurement(self.store, cell_id, unit, part), BadPart):
                problems.append(f"{measurement.key}: {measurement.problem}")
            elif measurement is not None and (problem := _no_measurement(measurement)):
                problems.append(f"cells/{cell_id}: the measurement of {name}: {problem}")
            elif tables and not part.schema.equals(tables[0].schema):
                problems.append(f"cells/{cell_id}/{name}: other columns than the unit before it")
            else:
                tables.append(part)
                measured += [] if measurement is None else [_frame(measurement)]
                position = unit.stop
        records = _frame(pa.concat_tables(tables)) if tables else pd.DataFrame()
        if len(records) < cell.protocol.images:
            problems.append(f"{len(records)} of {cell.protocol.images} images of {cell.protocol.condition} measured")
        return LoadedCell(cell, records, tuple(problems), self._reliability(cell_id), tuple(measured))

    def _reliability(self, cell_id: str) -> Verdict:
        key = f"cells/{cell_id}/{RELIABILITY}"
        if RELIABILITY not in self.store.names(f"cells/{cell_id}"):
            return Verdict()
        try:
            stored = parse(_StoredVerdict, loads(self.store.get(key)), "verdict", strict=False)
            return Verdict(LEVELS[LEVELS.index(stored.level)], "; ".join(stored.because))
        except ValueError as error:
            raise StoreError(
                f"{self.store.address}/{key}: damaged ({error}); delete it and repeat the run's command"
            ) from None

    def suite_runs(self) -> Iterator[SuiteRun]:
        """Every (suite, model) that a run of this folder wanted, each set of cells once."""
        seen = set()
        for run in self.run_names:
            manifest = self._manifest(run)
            for (suite, model), cells in _by_suite(manifest.entries).items():
                version = manifest.suites.get(suite, 0)
                about = manifest.models[model]
                there = next((self.cells[cell] for cell in cells.values() if cell in self.cells), None)
                label = self.label(there) if there else about.name or model
                key = (suite, version, label, tuple(sorted(cells.values())))
                if key not in seen:
                    seen.add(key)
                    given = manifest.options
                    yield SuiteRun(suite, label, asdict(about), cells, run, version, given, about.name or model)

    def _manifest(self, run: str) -> "_Manifest":
        key = f"runs/{run}/run.json"
        try:
            data = loads(self.store.get(key))
            if isinstance(data, dict) and (found := data.get("format", FORMAT)) != FORMAT:
                raise StoreError(
                    f"{self.store.address}/{key}: written by another version of bench (format {found}; this one reads "
                    f"{FORMAT}); read it with the version that wrote it"
                )
            return cast(_Manifest, parse(_Manifest, data, "run", strict=False))
        except ValueError as error:
            raise StoreError(
                f"{self.store.address}/{key}: damaged ({error}); delete it and repeat the run's command"
            ) from None


def _frame(table: pa.Table) -> pd.DataFrame:
    """Convert to pandas, without what somebody may have written for pandas into the file."""
    frame: pd.DataFrame = table.replace_schema_metadata().to_pandas()
    return frame


def _no_measurement(table: pa.Table) -> str:
    return misfit(table, SCHEMA)


@dataclass(frozen=True)
class _Input:
    size: int = 0


@dataclass(frozen=True)
class _Model:
    """What a report says of a model without knowing its card."""

    name: str = ""
    fingerprint: str = ""
    method: str = ""
    architecture: str = ""
    parameters: int = 0
    input: _Input = field(default_factory=_Input)


@dataclass(frozen=True)
class _Entry:
    suite: str
    model: str
    condition: str
    cell: str

    def __post_init__(self) -> None:
        Condition.parse(self.condition)


@dataclass(frozen=True)
class _Manifest:
    """What is read of a `run.json`, which holds more."""

    models: Mapping[str, _Model]
    entries: tuple[_Entry, ...]
    suites: Mapping[str, int] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if strangers := {entry.model for entry in self.entries} - self.models.keys():
            raise SchemaError(f"nothing is said of the model {min(strangers)!r}")

    @property
    def options(self) -> RunOptions | None:
        """What was asked for besides models and suites."""
        try:
            return RunOptions.of({k: v for k, v in self.given.items() if k not in ("models", "suites")})
        except UsageError:
            return None


@dataclass(frozen=True)
class _StoredVerdict:
    level: str
    because: tuple[str, ...]


def _by_suite(entries: Iterable[_Entry]) -> dict[tuple[str, str], dict[str, str]]:
    grouped: dict[tuple[str, str], dict[str, str]] = {}
    for entry in entries:
        grouped.setdefault((entry.suite, entry.model), {})[entry.condition] = entry.cell
    return grouped
