"""The units of a cell as they lie in a results folder: each is checked before it counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.diagnostics.table import SCHEMA
from bench.metrics.accuracy import outcomes
from bench.metrics.told import Seen
from bench.parts import BadPart, CellFiles, read_measurement, read_part
from bench.record import UnitKey, misfit
from bench.store import Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class UnitsRead:
    """The sound units of a cell in order: where each starts, its records, and what was measured of those that measure
    something as a whole; and what is wrong with the others."""

    starts: list[int] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    measured: list[pa.Table] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def outcomes(self) -> Seen:
        """Which images of each unit were classified rightly."""
        return dict(zip(self.starts, map(outcomes, self.tables), strict=True))


def read_units(store: Store, cell_id: str, files: CellFiles) -> UnitsRead:
    """Read and check every unit of a cell."""
    read, position = UnitsRead(), 0
    for unit, name in files.in_order:
        part = read_part(store, cell_id, name)
        if isinstance(part, BadPart):
            read.problems.append(f"{part.key}: {part.problem}")
            continue
        if problem := _misplaced(unit, part, position, read.tables):
            read.problems.append(f"cells/{cell_id}/{name}: {problem}")
            continue
        measurement = read_measurement(store, cell_id, unit, part)
        if isinstance(measurement, BadPart):
            read.problems.append(f"{measurement.key}: {measurement.problem}")
        elif measurement is not None and (problem := misfit(measurement, SCHEMA)):
            read.problems.append(f"cells/{cell_id}: the measurement of {name}: {problem}")
        else:
            read.starts.append(unit.start)
            read.tables.append(part)
            read.measured += [] if measurement is None else [measurement]
            position = unit.stop
    return read


def _misplaced(unit: UnitKey, part: pa.Table, position: int, before: Sequence[pa.Table]) -> str:
    """Why these records cannot stand behind those `before`, which end at `position`; empty where they can."""
    if unit.start < position:
        return "overlaps the unit before it"
    if part.num_rows != unit.stop - unit.start:
        return f"{part.num_rows} records for {unit.stop - unit.start} images"
    return "" if not before or part.schema.equals(before[0].schema) else "other columns than the unit before it"


def to_frame(table: pa.Table) -> "pd.DataFrame":
    """Convert to pandas, ignoring any pandas metadata in the file."""
    frame: pd.DataFrame = table.replace_schema_metadata().to_pandas(use_threads=False)  # which starts none for a few kB
    return frame
