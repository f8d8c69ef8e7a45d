"""A results folder read back: its runs, their cells, and the records, each part checked before it counts."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.errors import StoreError
from bench.record import Cell
from bench.store import RELIABILITY, BadPart, Store, cell_ids, part_names, read_cell, read_measurement, read_part

FORMAT = 1
"""Of `run.json`."""

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

    `version` is the suite's when the run was made, `given` what was asked for; both empty in runs of older versions.
    """

    suite: str
    model: str
    about: dict[str, Any]
    cells: dict[str, str]
    run: str
    version: int = 0
    given: dict[str, Any] = field(default_factory=dict)


class ResultsFolder:
    """Reads lazily: descriptions first, the records of a cell when they are asked for."""

    def __init__(self, address: str) -> None:
        self.store = Store(address)
        self.cells = {cell_id: read_cell(self.store, cell_id) for cell_id in cell_ids(self.store)}
        if not self.cells:
            raise StoreError(
                f"{address}: no results here (expected cells/ and runs/); "
                f"`bench run --model MODEL --suite SUITE --out {address}` makes some"
            )

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
            else:
                tables.append(part)
                measured += [] if measurement is None else [measurement.to_pandas()]
                position = unit.stop
        records = pa.concat_tables(tables).to_pandas() if tables else pd.DataFrame()
        if len(records) < cell.protocol.images:
            problems.append(f"{len(records)} of {cell.protocol.images} images of {cell.protocol.condition} measured")
        return LoadedCell(cell, records, tuple(problems), self._reliability(cell_id), tuple(measured))

    def _reliability(self, cell_id: str) -> Verdict:
        key = f"cells/{cell_id}/{RELIABILITY}"
        if RELIABILITY not in self.store.names(f"cells/{cell_id}"):
            return Verdict()
        try:
            stored = json.loads(self.store.get(key))
            return Verdict(LEVELS[LEVELS.index(stored["level"])], "; ".join(stored["because"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self.store.address}/{key}: damaged ({error}); delete it and repeat the run's command"
            ) from None

    def suite_runs(self) -> Iterator[SuiteRun]:
        """Every (suite, model) that a run of this folder wanted, each set of cells once."""
        seen = set()
        for run in self.run_names:
            manifest = self._manifest(run)
            versions, given = manifest.get("suites", {}), manifest.get("given", {})
            for (suite, model), cells in _by_suite(manifest["entries"]).items():
                key = (suite, versions.get(suite, 0), model, tuple(sorted(cells.values())))
                if key not in seen:
                    seen.add(key)
                    yield SuiteRun(suite, model, manifest["models"][model], cells, run, versions.get(suite, 0), given)

    def _manifest(self, run: str) -> dict[str, Any]:
        key = f"runs/{run}/run.json"
        try:
            manifest: dict[str, Any] = json.loads(self.store.get(key))
            if (found := manifest.get("format", FORMAT)) != FORMAT:
                raise StoreError(
                    f"{self.store.address}/{key}: written by another version of bench (format {found}; this one reads "
                    f"{FORMAT}); read it with the version that wrote it"
                )
            manifest["models"], manifest["entries"]  # what every reader needs
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{self.store.address}/{key}: damaged ({error}); delete it and repeat the run's command"
            ) from None
        return manifest


def _by_suite(entries: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    grouped: dict[tuple[str, str], dict[str, str]] = {}
    for entry in entries:
        grouped.setdefault((entry["suite"], entry["model"]), {})[entry["condition"]] = entry["cell"]
    return grouped
