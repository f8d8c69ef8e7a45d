"""A cell of a run in progress: its parts so far, each read once, and their accuracy."""

import functools
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from bench.errors import StoreError
from bench.manifest import RunEntry
from bench.metrics.accuracy import accuracy_of, outcomes, right_and_scored
from bench.metrics.estimate import Estimate
from bench.metrics.selection import rule_of
from bench.metrics.sequential import Values
from bench.metrics.told import Rule, Seen, is_enough, with_rule
from bench.parts import BadPart, CellFiles, read_cell, read_part
from bench.record import Cell, UnitKey
from bench.store import RELIABILITY, Store
from bench.verdict import Verdict, read_verdict


class LivePart(NamedTuple):
    """Stored result of a part: the counts of its images, and for cells under a rule each image's outcome."""

    name: str
    right: int
    scored: int
    images: int
    outcomes: Values | None

    @classmethod
    def of(cls, name: str, records: pa.Table, *, keep: bool) -> "LivePart":
        """Count the records."""
        right, scored = right_and_scored(records)
        kept = outcomes(records) if keep else None
        return cls(name, int((right & scored).sum()), int(scored.sum()), len(records), kept)


@dataclass
class LiveCell:
    """A cell so far: `parts` by unit, in any order, counted as in `bench results`; `problems` are from the last
    reading only, so that repaired ones disappear."""

    entry: RunEntry
    cell: Cell | None = None
    parts: dict[UnitKey, LivePart] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)
    problems: list[str] = field(default_factory=list)
    enough: bool = False

    @property
    def images(self) -> int:
        """Number of planned images."""
        return self.entry.images or (self.cell.protocol.images if self.cell else 0)

    @property
    def rule(self) -> Rule | None:
        """Rule that may stop it early."""
        return rule_of(self.cell.subset) if self.cell else None

    @property
    def measured(self) -> int:
        """Images that are done."""
        return sum(part.images for part in self.parts.values())

    @property
    def done(self) -> int:
        """Number of images that need no more work: all, if a rule stopped the cell."""
        return self.images if self.enough else min(self.measured, self.images)

    @property
    def complete(self) -> bool:
        """Whether the cell is complete."""
        return self.images > 0 and self.done >= self.images

    @property
    def seen(self) -> Seen:
        """Outcomes by unit, for a cell under a rule."""
        return {unit.start: part.outcomes for unit, part in self.parts.items() if part.outcomes is not None}

    @functools.cached_property
    def estimate(self) -> Estimate:
        """The accuracy so far."""
        counts = [sum(getattr(part, name) for part in self.parts.values()) for name in ("right", "scored", "images")]
        return with_rule(accuracy_of(*counts), self.rule, lambda: self.seen, self.images)

    def judge(self, partner: "LiveCell | None") -> None:
        """Check whether its rule has stopped it."""
        self.enough = is_enough(self.rule, self.seen, partner.seen if partner else {}, self.images)

    def read(self, store: Store) -> list[UnitKey]:
        """Read the folder; return the new units."""
        cell_id, self.problems = self.entry.cell, []
        self.__dict__.pop("estimate", None)
        try:
            files = CellFiles.of(store, cell_id)
            if self.cell is None and files.parts:
                self.cell = read_cell(store, cell_id)
        except StoreError as error:
            self.problems.append(str(error))
            return []
        before, self.parts, position = self.parts, {}, 0
        for unit, name in files.in_order:
            part = self._part(store, before.get(unit), name)
            if part and unit.start < position:
                self.problems.append(f"cells/{cell_id}/{name}: overlaps the unit before it")
            elif part:
                self.parts[unit], position = part, unit.stop
        self.verdict = self._verdict(store) if RELIABILITY in files.names else Verdict()
        return [unit for unit, part in self.parts.items() if before.get(unit) is not part]

    def _part(self, store: Store, known: LivePart | None, name: str) -> LivePart | None:
        if known and known.name == name:
            return known
        part = read_part(store, self.entry.cell, name)
        if isinstance(part, BadPart):
            self.problems.append(f"{part.key}: {part.problem}")
            return None
        return LivePart.of(name, part, keep=self.rule is not None)

    def _verdict(self, store: Store) -> Verdict:
        try:
            return read_verdict(store, self.entry.cell)
        except StoreError as error:
            self.problems.append(str(error))
            return Verdict()
