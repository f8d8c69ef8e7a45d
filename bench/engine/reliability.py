"""Reliability verdicts of cells under attack, stored beside their records.

A verdict uses the attack's own norm and budget. The model is checked on a fixed sample of the cell's images, spread
over the data set; the number on a sample of surviving images in the cell's records (a shard without records of the cell
attacks the fixed sample again). It is stored as `cells/CELL/reliability.json`, and is not computed again if it exists.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import torch

from bench.engine.batches import read_sample
from bench.engine.plan import Plan, PlanEntry, Unit
from bench.engine.session import Session, Subject, Subjects
from bench.errors import UsageError
from bench.parts import BadPart, part_names, read_part
from bench.record import Cell
from bench.store import Store
from bench.suites.base import Setup
from bench.verdict import Verdict, has_verdict

if TYPE_CHECKING:
    from bench.attacks.reliability import Reliability, StandingPictures


def attacked(plan: Plan) -> list[PlanEntry]:
    """Return the plan's cells under attack that measure robust accuracy, not diagnostics. Randomised models get no
    verdict: their gradients are random, which every criterion would report."""
    found = ((entry, entry.setup.attack) for entry in plan.cells.values() if not entry.setup.probes)
    return [entry for entry, attack in found if attack and not attack.randomised]


@dataclass(frozen=True)
class ReliabilityCheck:
    """The verdict on one cell, to be made on `sample` images; `surrogate` is the index of another model, if any.

    standing: indices of at most `sample` surviving images in the cell's records, and `share`, the share of the scored
    images that survive; None without records
    """

    entry: PlanEntry
    sample: int
    surrogate: int | None
    standing: tuple[int, ...] | None = None
    share: float = 0.0

    @property
    def setup(self) -> Setup:
        """The cell's condition."""
        return self.entry.setup

    @property
    def cells(self) -> tuple[tuple[int, Cell], ...]:
        """The one cell, by subject."""
        return ((self.entry.subject, self.entry.cell),)

    @property
    def images(self) -> int:
        """Number of measured images: none."""
        return 0

    @property
    def name(self) -> str:
        """Key that differs for every other work item of the plan."""
        return f"reliability of {self.entry.setup.name} of {self.entry.cell.model}"

    @property
    def block(self) -> Hashable:
        """Key of its own block: its sample is spread over the set."""
        return self.name


class PendingVerdicts:
    """The verdicts that `cells` lack, each due once the last of the cell's units `todo` is written or given up."""

    def __init__(self, plan: Plan, store: Store, cells: Sequence[PlanEntry], sample: int, todo: Iterable[Unit]) -> None:
        self.plan, self.store, self.sample = plan, store, sample
        missing = (e for e in cells if sample and not has_verdict(store, e.cell.id))
        self._wanted = {entry.cell.id: entry for entry in missing}
        self._units = Counter(cell.id for unit in todo for _, cell in unit.cells)

    def __len__(self) -> int:
        """Those that are still waiting."""
        return len(self._wanted)

    def due(self) -> list[ReliabilityCheck]:
        """Return those that wait for no unit."""
        ready = [id for id in self._wanted if self._units[id] <= 0]
        return [self._check(self._wanted.pop(id)) for id in ready]

    def leave_out(self, units: Mapping[str, int]) -> None:
        """Reduce the number of pending units of each cell, which a rule stopped."""
        self._units.subtract(units)

    def finished(self, work: object) -> list[ReliabilityCheck]:
        """Return the verdicts that waited only for `work`."""
        if isinstance(work, Unit):
            self._units.subtract(cell.id for _, cell in work.cells)
        return self.due()

    def _check(self, entry: PlanEntry) -> ReliabilityCheck:
        from bench.attacks.reliability import spread

        standing, scored = _standing(self.store, entry.cell.id)
        if not scored:
            return ReliabilityCheck(entry, self.sample, _surrogate(self.plan, entry.subject))
        chosen = tuple(standing[i] for i in spread(len(standing), self.sample))
        return ReliabilityCheck(
            entry, self.sample, _surrogate(self.plan, entry.subject), chosen, len(standing) / scored
        )


def _standing(store: Store, cell_id: str) -> tuple[list[int], int]:
    """Return the indices of the surviving images in the cell's records, in order, and the number of scored images."""
    standing, scored = [], 0
    for unit, name in sorted(part_names(store, cell_id).items(), key=lambda item: item[0].start):
        part = read_part(store, cell_id, name)
        if isinstance(part, BadPart):
            continue
        counts = part.column("scored").to_pylist()
        broken = part.column("broken_by").to_pylist()
        scored += sum(counts)
        standing += [unit.start + i for i, (c, by) in enumerate(zip(counts, broken, strict=True)) if c and by is None]
    return standing, scored


def assess_cell(session: Session, subjects: Subjects, check: ReliabilityCheck) -> Verdict:
    """Make the verdict on the cell (`bench.attacks.reliability`)."""
    from bench.attacks.reliability import assess, spread

    entry, sample, attack = check.entry, check.sample, check.setup.attack
    if attack is None:
        raise UsageError(f"{check.setup.name}: only conditions under attack have a verdict")
    subject = subjects[entry.subject]
    dataset = session.dataset(entry.setup.dataset, entry.setup.part)
    first = list(range(min(sample, entry.images)))  # of a random order: these are measured whenever it stops
    indices = first if session.rule else spread(entry.images, sample)
    batch = read_sample(session, dataset, entry.setup, indices, subject.spec)
    other = None if check.surrogate is None else subjects[check.surrogate].model
    unknown = Verdict(
        "not assessed",
        ("no image of the sample could be read",),
        str(attack.eps),
        attack.norm,
        len(batch.readable),
        surrogate=None if other is None else other.name,
    )
    if not batch.readable:
        return unknown
    try:
        found = assess(
            subject.model.to(session.device),
            batch.images(subject.spec),
            batch.labels,
            batch.ids,
            attack.norm,
            attack.eps,
            seed=session.seed,
            batch_size=session.batch_size,
            surrogate=other and other.to(session.device),
            attack=attack,
            standing=_shown(session, subject, check),
        )
    except UsageError as error:
        return replace(unknown, because=(str(error),))
    return _found(unknown, found)


def _found(unknown: Verdict, found: "Reliability") -> Verdict:
    """The verdict with what was found."""
    return replace(
        unknown,
        level=found.level,
        because=tuple(found.because),
        images=found.images,
        findings=tuple(asdict(finding) for finding in found.findings),
        skipped=found.skipped,
        overstatement=found.overstatement.to_dict() if found.overstatement else {},
    )


def _shown(session: Session, subject: Subject, check: ReliabilityCheck) -> "StandingPictures | None":
    """Return the surviving images of the check, as the model sees them; None without records, or if none of the
    images can be read."""
    from bench.attacks.reliability import StandingPictures

    if check.standing is None:
        return None
    if not check.standing:
        return StandingPictures(torch.zeros(0, 3, 1, 1), torch.zeros(0, dtype=torch.int64), [], check.share)
    setup = check.entry.setup
    dataset = session.dataset(setup.dataset, setup.part)
    batch = read_sample(session, dataset, setup, list(check.standing), subject.spec)
    if not batch.readable:
        return None
    return StandingPictures(batch.images(subject.spec), batch.labels, batch.ids, check.share)


def _surrogate(plan: Plan, index: int) -> int | None:
    """Return another model of the run with the same input and classes."""
    wanted = plan.subjects[index]
    for number, other in enumerate(plan.subjects):
        same = (other.spec, other.model.card.labels) == (wanted.spec, wanted.model.card.labels)
        if number != index and same:
            return number
    return None
