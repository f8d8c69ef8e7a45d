"""State of the runs in a results folder, read from the folder and never from a run's process."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.board.live.cell import LiveCell
from bench.board.live.pace import Pace
from bench.board.site.view import figure
from bench.errors import StoreError
from bench.folder.reader import partner_of
from bench.manifest import RunEntry, read_manifest
from bench.metrics.told import TellRule
from bench.store import Store
from bench.text import counted, escape_unprintable

SETTLED = 2_000_000_000
"""Nanoseconds after which a change time reveals every later change: file system clocks tick a few times a second."""

MOST = 500
"""Maximum number of numbers shown."""

NOTHING: dict[str, Any] = {
    "runs": 0,
    "planned": 0,
    "done": 0,
    "rate": None,
    "left": None,
    "state": "nothing is planned here yet",
    "problems": [],
    "numbers": [],
    "more": 0,
}
"""What is seen of an empty folder."""


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
    left: float
    width: float
    note: str


class Watch:
    """Reads a folder repeatedly without reading anything twice. `revision` grows with each change that a page would
    show."""

    def __init__(self, directory: str | Path) -> None:
        self.store, self.pace = Store(directory), Pace()
        self.cells: dict[str, LiveCell] = {}
        self.plans: dict[str, tuple[RunEntry, ...]] = {}
        self.problems: dict[str, str] = {}
        self.models: list[str] = []
        self.revision = 0
        self._stamps: dict[str, int] = {}

    def look(self) -> dict[str, Any]:
        """Return progress, throughput in images per second, seconds left, and the numbers so far; ready for JSON.

        Raises `StoreError` if the folder cannot be read.
        """
        self._read_runs()
        changed = [cell_id for cell_id, cell in self.cells.items() if self._read(cell_id, cell)]
        for cell_id in changed:
            self._judge(cell_id)
        self.revision += bool(changed)
        planned = sum(cell.images for cell in self.cells.values())
        done = sum(cell.done for cell in self.cells.values())
        rate = self.pace.rate if done < planned else None
        problems = [*self.problems.values(), *(text for cell in self.cells.values() for text in cell.problems)]
        shown = sorted(self.cells.values(), key=lambda cell: cell.complete or not cell.measured)  # what is at work
        return {
            "runs": len(self.plans),
            "planned": planned,
            "done": done,
            "rate": rate,
            "left": (planned - done) / rate if rate else None,
            "state": self._state(),
            "problems": [escape_unprintable(text) for text in problems],
            "numbers": [asdict(_number(cell)) for cell in shown[:MOST]],
            "more": max(0, len(shown) - MOST),
        }

    def _read_runs(self) -> None:
        """Return the plans of all runs, each read once, and the current errors of damaged ones."""
        names, problems = self.store.names("runs"), {}
        plans = {run: plan for run, plan in self.plans.items() if run in names}
        for run in names:
            if run in plans or "run.json" not in self.store.names(f"runs/{run}"):
                continue
            try:
                plans[run] = read_manifest(self.store, run).entries
            except StoreError as error:
                problems[run] = str(error)
        models = self.store.names("models")
        if (plans, problems, models) != (self.plans, self.problems, self.models):
            self.revision += 1
            self.plans, self.problems, self.models = plans, problems, models
            entries = {entry.cell: entry for entry in self._entries()}
            self.cells = {cell_id: self.cells.get(cell_id, LiveCell(entry)) for cell_id, entry in entries.items()}

    def _entries(self) -> Iterator[RunEntry]:
        return (entry for plan in self.plans.values() for entry in plan)

    def _read(self, cell_id: str, cell: LiveCell) -> bool:
        """Read a cell again if its folder has changed; return whether anything changed that a page shows."""
        stamp = self.store.changed(f"cells/{cell_id}")
        if stamp is None and self.store.local is None and cell.complete:
            return False  # elsewhere each listing is a request
        if stamp is not None and stamp == self._stamps.get(cell_id) and not cell.problems:
            return False
        if stamp is not None and time.time_ns() - stamp > SETTLED:
            self._stamps[cell_id] = stamp
        before = _shown(cell)
        found = cell.read(self.store)
        self.pace.note([(self._time(cell_id, cell.parts[unit].name), cell.parts[unit].images) for unit in found])
        return before != _shown(cell)

    def _judge(self, cell_id: str) -> None:
        """Check whether a rule has stopped the cell, and with it its partner."""
        cell = self.cells[cell_id]
        other = None
        if isinstance(cell.rule, TellRule):
            known = {name: found.cell for name, found in self.cells.items() if found.cell}
            other = self.cells.get(partner_of(cell_id, self.plans.values(), known) or "")
        cell.judge(other)
        if other:
            other.judge(cell)

    def _time(self, cell_id: str, name: str) -> float:
        """Return when a part was stored; except on a disk, when it was first seen."""
        try:
            return (self.store.local / "cells" / cell_id / name).stat().st_mtime if self.store.local else time.time()
        except OSError:
            return time.time()

    def _state(self) -> str:
        if not self.cells:
            return str(NOTHING["state"])
        if all(cell.complete for cell in self.cells.values()):
            return f"complete: {counted(len(self.cells), 'condition')} measured"
        if quiet := self.pace.quiet(time.time()):
            return f"nothing new for {quiet / 60:.0f} minutes: the run may have stopped; its command continues it"
        return "measuring" if self.pace.last else "planned, nothing is measured yet"


def _shown(cell: LiveCell) -> tuple[object, ...]:
    """What a page shows of a cell."""
    return {unit: part.name for unit, part in cell.parts.items()}, cell.verdict, cell.problems


def _number(cell: LiveCell) -> LiveNumber:
    found = cell.estimate
    low, high = (0.0 if end != end else 100 * end for end in (found.low, found.high))
    return LiveNumber(
        escape_unprintable(cell.entry.model),
        escape_unprintable(cell.entry.suite),
        escape_unprintable(cell.entry.condition),
        figure(100 * found.value),
        figure(100 * found.low),
        figure(100 * found.high),
        f"{found.n:,}",
        f"{cell.images:,}",
        round(low, 1),
        round(max(high - low, 0.6), 1) if found.n else 0.0,
        ", ".join(filter(None, _notes(cell, found.unscored))),
    )


def _notes(cell: LiveCell, unscored: int) -> Iterator[str]:
    """Return the remarks on a number: why it is not final, and its reliability."""
    if cell.complete:
        yield "stopped by its rule" if cell.measured < cell.images else ""
    elif not cell.measured:
        yield "not begun"
    elif cell.rule:
        yield "of the whole set, valid at any time"
    else:
        yield "of the images so far, in the set's order: not final"
    yield f"{unscored} unreadable" if unscored else ""
    if cell.verdict.level not in ("", "reliable"):
        yield f"{cell.verdict.level}: {escape_unprintable(cell.verdict.reasons)}"
