"""Can the number of a cell under attack be believed? The verdict is stored beside its records.

It is made on a fixed sample of the cell's images, spread over the data set, at the attack's own norm and budget: any
shard can make it. It lies whole as `cells/CELL/reliability.json`; where that stands, nothing is computed again.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import torch

from bench.engine.execute import read_sample, to_images
from bench.engine.plan import Plan, PlanEntry
from bench.engine.session import Session, Subjects
from bench.errors import UsageError
from bench.record import Cell
from bench.store import Store
from bench.suites.base import Setup
from bench.verdict import Verdict, has_verdict


def attacked(plan: Plan) -> list[PlanEntry]:
    """The plan's cells under attack whose accuracy is a robust accuracy; diagnostics only look on."""
    return [e for e in plan.cells.values() if e.condition.attack and not e.condition.probes]


@dataclass(frozen=True)
class ReliabilityCheck:
    """The verdict on one cell, to be made on `sample` images; `surrogate` is the index of another model, if any."""

    entry: PlanEntry
    sample: int
    surrogate: int | None

    @property
    def condition(self) -> Setup:
        """What the cell is under."""
        return self.entry.condition

    @property
    def cells(self) -> tuple[tuple[int, Cell], ...]:
        """The one cell, by subject."""
        return ((self.entry.subject, self.entry.cell),)

    @property
    def images(self) -> int:
        """None that count as measured."""
        return 0

    @property
    def name(self) -> str:
        """Unlike that of every other work of the plan."""
        return f"reliability of {self.entry.condition.name} of {self.entry.cell.model}"

    @property
    def block(self) -> Hashable:
        """Its own: its sample is spread over the set."""
        return self.name


def reliability_checks(plan: Plan, store: Store, cells: Sequence[PlanEntry], sample: int) -> Iterator[ReliabilityCheck]:
    """The verdicts that `cells` lack."""
    for entry in cells if sample else ():
        if not has_verdict(store, entry.cell.id):
            yield ReliabilityCheck(entry, sample, _surrogate(plan, entry.subject))


def assess_cell(session: Session, subjects: Subjects, check: ReliabilityCheck) -> Verdict:
    """Can the number of the cell be believed? `bench.attacks.reliability` says what is looked at."""
    from bench.attacks.reliability import assess

    entry, sample, attack = check.entry, check.sample, check.condition.attack
    if attack is None:
        raise UsageError(f"{check.condition.name}: only an attack can be put in check")
    subject = subjects[entry.subject]
    dataset = session.dataset(entry.condition.dataset, entry.condition.part)
    indices = (
        list(range(min(sample, entry.images)))  # the first of a random order, which are measured whenever it stops
        if session.until
        else [i * entry.images // sample for i in range(sample)]
        if sample < entry.images
        else list(range(entry.images))
    )
    batch = read_sample(session, dataset, entry.condition, indices, subject.spec)
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
            to_images(batch.pictures[subject.spec]),
            torch.tensor([dataset.targets[i] for i in batch.readable]),
            [dataset.ids[i] for i in batch.readable],
            attack.norm,
            attack.eps,
            seed=session.seed,
            batch_size=session.batch_size,
            surrogate=other and other.to(session.device),
        )
    except UsageError as error:
        return replace(unknown, because=(str(error),))
    return replace(
        unknown,
        level=found.level,
        because=tuple(found.because),
        images=found.images,
        findings=tuple(asdict(finding) for finding in found.findings),
        skipped=found.skipped,
    )


def _surrogate(plan: Plan, index: int) -> int | None:
    """Another model of the run that sees the same pictures and knows the same classes."""
    wanted = plan.subjects[index]
    for number, other in enumerate(plan.subjects):
        same = (other.spec, other.model.card.labels) == (wanted.spec, wanted.model.card.labels)
        if number != index and same:
            return number
    return None
