"""What a results folder says of the runs that go on in it: read from the folder, never from a run's process."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.board.site.view import figure
from bench.errors import BenchError
from bench.manifest import RunEntry, read_manifest
from bench.metrics.accuracy import accuracy, in_order
from bench.metrics.estimate import Estimate
from bench.metrics.sequential import StopRule
from bench.parts import BadPart, part_names, read_cell, read_part
from bench.store import Store
from bench.text import counted, escape_unprintable

WINDOW = 300.0
"""Seconds over which throughput is measured."""

QUIET = 120.0
"""Seconds without a new part after which a run that is not complete may have stopped, unless parts came as slowly."""


@dataclass
class LiveCell:
    """A cell so far: `images` are planned, `finished` says when each part was stored and its size."""

    entry: RunEntry
    images: int
    parts: dict[str, pd.DataFrame] = field(default_factory=dict)
    finished: list[tuple[float, int]] = field(default_factory=list)
    rule: StopRule | None = None
    problem: str = ""

    @property
    def measured(self) -> int:
        """Images that are done."""
        return sum(count for _, count in self.finished)


@dataclass(frozen=True)
class LiveNumber:
    """One accuracy so far, as texts; `left` and `width` place its interval on a bar, in percent."""

    model: str
    suite: str
    condition: str
    text: str
    low: str
    high: str
    n: str
    of: str
    done: float
    left: float
    width: float
    note: str


class Watch:
    """Looks at a folder again and again; what was read once is not read again."""

    def __init__(self, directory: str | Path) -> None:
        self.store = Store(directory)
        self.cells: dict[str, LiveCell] = {}
        self.runs: set[str] = set()
        self.problems: dict[str, str] = {}

    def look(self) -> dict[str, Any]:
        """Progress, throughput in images a second, seconds left, and every number so far; ready for JSON."""
        self._read_runs()
        for cell_id, cell in self.cells.items():
            if cell.measured < cell.images:
                self._read_parts(cell_id, cell)
        planned = sum(cell.images for cell in self.cells.values())
        done = sum(self._counted(cell) for cell in self.cells.values())
        rate, quiet = self._rate()
        return {
            "runs": len(self.runs),
            "planned": planned,
            "done": done,
            "rate": rate if done < planned else None,
            "left": (planned - done) / rate if rate and done < planned else None,
            "state": self._state(planned, done, quiet),
            "problems": [escape_unprintable(text) for text in self.problems.values()],
            "numbers": [asdict(number) for number in self._numbers()],
        }

    def signature(self) -> int:
        """Changes when there is something new to show."""
        return sum(len(cell.finished) for cell in self.cells.values()) + len(self.runs)

    def _read_runs(self) -> None:
        for run in self.store.names("runs"):
            if run in self.runs or "run.json" not in self.store.names(f"runs/{run}"):
                continue
            try:
                manifest = read_manifest(self.store, run)
            except BenchError as error:
                self.problems[run] = str(error)
                continue
            self.problems.pop(run, None)
            self.runs.add(run)
            for entry in manifest.entries:
                self.cells.setdefault(entry.cell, LiveCell(entry, entry.images))

    def _read_parts(self, cell_id: str, cell: LiveCell) -> None:
        for unit, name in part_names(self.store, cell_id).items():
            if name in cell.parts:
                continue
            part = read_part(self.store, cell_id, name)
            if isinstance(part, BadPart):
                self.problems[part.key] = f"{part.key}: {part.problem}"
                continue
            cell.parts[name] = part.replace_schema_metadata().to_pandas()
            cell.finished.append((self._time(cell_id, name), unit.stop - unit.start))
        if cell.parts and cell.rule is None:
            try:
                found = read_cell(self.store, cell_id)
                cell.rule, cell.images = StopRule.find(found.subset), cell.images or found.protocol.images
            except BenchError as error:
                self.problems[cell_id] = str(error)

    def _time(self, cell_id: str, name: str) -> float:
        """When a part was stored; elsewhere than on a disk, when it was first seen."""
        try:
            return (self.store.local / "cells" / cell_id / name).stat().st_mtime if self.store.local else time.time()
        except OSError:
            return time.time()

    def _rate(self) -> tuple[float | None, float]:
        """Images a second over the last minutes, and seconds since the last part."""
        now = time.time()
        finished = sorted(one for cell in self.cells.values() for one in cell.finished)
        if not finished:
            return None, 0.0
        last = finished[-1][0]
        recent = [one for one in finished if one[0] >= last - WINDOW]
        span = last - recent[0][0]
        images = sum(count for when, count in recent if when > recent[0][0])
        return (images / span if span > 0 else None), now - last

    def _longest_gap(self) -> float:
        times = sorted(when for cell in self.cells.values() for when, _ in cell.finished)
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)

    @staticmethod
    def _counted(cell: LiveCell) -> int:
        """What counts as done: all of a cell whose own rule has stopped it."""
        if cell.rule and cell.parts and cell.rule.met(in_order(pd.concat(cell.parts.values())), cell.images):
            return cell.images
        return min(cell.measured, cell.images)

    def _state(self, planned: int, done: int, quiet: float) -> str:
        if not self.cells:
            return "nothing is planned here yet"
        if done >= planned:
            return f"complete: {counted(len(self.cells), 'condition')} measured"
        if quiet > max(QUIET, 4 * self._longest_gap()):
            return f"nothing new for {quiet / 60:.0f} minutes: the run may have stopped; its command continues it"
        return "measuring"

    def _numbers(self) -> Iterator[LiveNumber]:
        for cell in self.cells.values():
            records = pd.concat(cell.parts.values(), ignore_index=True) if cell.parts else pd.DataFrame()
            found = _estimate(cell, records) if len(records) else Estimate(float("nan"), float("nan"), float("nan"), 0)
            whole = self._counted(cell) >= cell.images
            low, high = (0.0 if end != end else 100 * end for end in (found.low, found.high))
            yield LiveNumber(
                escape_unprintable(cell.entry.model),
                escape_unprintable(cell.entry.suite),
                escape_unprintable(cell.entry.condition),
                figure(100 * found.value),
                figure(100 * found.low),
                figure(100 * found.high),
                f"{found.n:,}",
                f"{cell.images:,}",
                round(100 * min(cell.measured, cell.images) / cell.images, 1) if cell.images else 0.0,
                round(low, 1),
                round(max(high - low, 0.6), 1) if found.n else 0.0,
                _note(cell, found, whole),
            )


def _estimate(cell: LiveCell, records: pd.DataFrame) -> Estimate:
    found = accuracy(records)
    return found if cell.rule is None else cell.rule.estimate(in_order(records), cell.images, found.unscored)


def _note(cell: LiveCell, found: Estimate, whole: bool) -> str:
    """What keeps a number from being final."""
    unread = f"{found.unscored} unreadable" if found.unscored else ""
    if whole:
        return unread or ("stopped by --until" if cell.measured < cell.images else "")
    if not cell.measured:
        return "not begun"
    way = (
        "of the whole set, valid at any time" if cell.rule else "of the pictures so far, in the set's order: not final"
    )
    return ", ".join(filter(None, (way, unread)))
