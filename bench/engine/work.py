"""The work of executors, its order and its results: units and verdicts, tried a bounded number of times."""

from collections import Counter, deque
from collections.abc import Collection, Generator, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.engine.execute import execute
from bench.engine.part import Fault, Part
from bench.engine.plan import Unit
from bench.engine.reliability import ReliabilityCheck, assess_cell
from bench.engine.session import Session, Subjects
from bench.errors import DataError
from bench.parts import put_part
from bench.store import Store
from bench.suites.base import Setup
from bench.verdict import Verdict, put_verdict

ATTEMPTS = 3
"""Maximum number of attempts for work that raises an error."""

Work = Unit | ReliabilityCheck
Result = list[Part | Fault] | Verdict
"""The parts of a unit, one per model without a fault, or a verdict."""


@dataclass(frozen=True)
class Done:
    """A work item and its result."""

    work: Work
    result: Result

    @property
    def whole(self) -> list[Part]:
        """The parts of a unit; none if images of it could not be read for a temporary reason."""
        parts = [part for part in self.result if isinstance(part, Part)] if isinstance(self.result, list) else []
        return [] if any(part.passing for part in parts) else parts


@dataclass(frozen=True)
class Failed:
    """A failed work item, the reason, and whether it is given up."""

    work: Work
    reason: str
    attempt: int
    final: bool

    def __str__(self) -> str:
        then = "given up" if self.final else "tried again"
        return f"{self.work.name}: attempt {self.attempt} failed, {then}: {self.reason}"


class WorkQueue:
    """The remaining work, by blocks on the same images: a worker stays with a block while it lasts. If work of a
    cell was given up before any succeeded, the cell is not tried again."""

    def __init__(self, works: Iterable[Work]) -> None:
        self._blocks: dict[Hashable, deque[Work]] = {}
        self._attempts: Counter[tuple[str, ...]] = Counter()
        self._begun: set[str] = set()
        self._hopeless: set[str] = set()
        self.extend(works)

    def __len__(self) -> int:
        return sum(map(len, self._blocks.values()))

    def put(self, work: Work) -> None:
        """Add at the end of its block."""
        self._blocks.setdefault(work.block, deque()).append(work)

    def first_of_each(self) -> dict[int, Setup]:
        """Return the first work of each model, by index."""
        found: dict[int, Setup] = {}
        for works in self._blocks.values():
            for work in works:
                for index, _ in work.cells:
                    found.setdefault(index, work.setup)
        return found

    def without(self, subjects: Collection[int]) -> None:
        """Remove the work of these models."""
        for block, works in list(self._blocks.items()):
            kept = [left for work in works if (left := _without(work, subjects)) is not None]
            self._blocks[block] = deque(kept)
            if not kept:
                del self._blocks[block]

    def leave_out(self, cells: Collection[str]) -> Counter[str]:
        """Remove the measurements of these cells, by id; return the number of units of each. Their verdicts are
        still made."""
        left_out: Counter[str] = Counter()
        for block, works in list(self._blocks.items()):
            kept: list[Work] = []
            for work in works:
                left: Work | None = work
                if isinstance(work, Unit):
                    left = without_cells(work, cells)
                    left_out.update(cell.id for _, cell in work.cells if cell.id in cells)
                kept += [left] if left is not None else []
            self._blocks[block] = deque(kept)
            if not kept:
                del self._blocks[block]
        return left_out

    def extend(self, works: Iterable[Work]) -> None:
        """Add each at the end of its block."""
        for work in works:
            self.put(work)

    def take(self, own: Sequence[Hashable] = (), others: Iterable[Hashable] = ()) -> Work | None:
        """Return the next work for a worker, of its `own` blocks if possible, avoiding the blocks of `others`."""
        if not self._blocks:
            return None
        block = self._choose(own, others)
        work = self._blocks[block].popleft()
        if not self._blocks[block]:
            del self._blocks[block]
        cells = tuple((index, cell) for index, cell in work.cells if cell.id not in self._hopeless)
        if not cells:
            return self.take(own, others)
        return replace(work, cells=cells) if isinstance(work, Unit) and len(cells) < len(work.cells) else work

    def next(self, own: Sequence[Hashable] = (), others: Iterable[Hashable] = ()) -> Work | None:
        """Return the work that `take` will return if nothing changes, which stays in the queue."""
        return self._blocks[self._choose(own, others)][0] if self._blocks else None

    def _choose(self, own: Sequence[Hashable], others: Iterable[Hashable]) -> Hashable:
        taken = set(others)
        free = (block for block in self._blocks if block not in taken)
        return next((block for block in own if block in self._blocks), None) or next(free, next(iter(self._blocks)))

    def failed(self, work: Work, reason: str, most: int = ATTEMPTS) -> Failed:
        """Count a failure; the work returns to the queue unless this was the last of `most` attempts."""
        cells = [cell.id for _, cell in work.cells]
        key = (work.name, *cells)
        self._attempts[key] += 1
        failure = Failed(work, reason, self._attempts[key], self._attempts[key] >= most)
        if not failure.final:
            self.put(work)
        else:
            self._hopeless |= set(cells) - self._begun
        return failure

    def settle(self, work: Work, result: Result) -> Iterator[Done | Failed]:
        """Split a result: what to store, and each model's fault."""
        if isinstance(result, Verdict) or not isinstance(work, Unit):
            yield Done(work, result)
            return
        pairs = list(zip(work.cells, result, strict=True))
        if good := [(cell, part) for cell, part in pairs if isinstance(part, Part)]:
            self._begun |= {cell.id for (_, cell), _ in good}
            yield Done(replace(work, cells=tuple(cell for cell, _ in good)), [part for _, part in good])
        for cell, fault in pairs:
            if isinstance(fault, Fault):
                yield self.failed(replace(work, cells=(cell,)), fault.reason, 1 if fault.final else ATTEMPTS)


def without_cells(unit: Unit, ids: Collection[str]) -> Unit | None:
    """Return `unit` without the measurements of the cells `ids`; None if nothing is left."""
    cells = tuple(pair for pair in unit.cells if pair[1].id not in ids)
    return replace(unit, cells=cells) if cells else None


def _without(work: Work, subjects: Collection[int]) -> Work | None:
    if isinstance(work, ReliabilityCheck):
        surrogate = None if work.surrogate in subjects else work.surrogate
        return None if work.entry.subject in subjects else replace(work, surrogate=surrogate)
    cells = tuple(cell for cell in work.cells if cell[0] not in subjects)
    return replace(work, cells=cells) if cells else None


def perform(session: Session, subjects: Subjects, work: Work, then: Work | None = None) -> Result:
    """Run the work here; `then` is the work that will follow. Every executor uses this function."""
    if isinstance(work, Unit):
        return execute(session, subjects, work, then if isinstance(then, Unit) else None)
    return assess_cell(session, subjects, work)


def in_process(session: Session, subjects: Subjects, queue: WorkQueue) -> Generator[Done | Failed]:
    """Run all work, one after the other. Untrusted data end the run: the error says what to do first."""
    block: tuple[Hashable, ...] = ()
    while work := queue.take(block):
        block = (work.block,)
        try:
            result = perform(session, subjects, work, queue.next(block))
        except DataError:
            raise
        except (Exception, SystemExit) as error:
            fault = Fault.of(error)
            yield queue.failed(work, fault.reason, 1 if fault.final else ATTEMPTS)
            continue
        yield from queue.settle(work, result)


def keep(store: Store, done: Done) -> None:
    """Write the result of work, one object per model."""
    if isinstance(done.work, Unit) and isinstance(done.result, list):
        for (_, cell), part in zip(done.work.cells, done.result, strict=True):
            if isinstance(part, Part):
                put_part(store, cell, done.work.key, part.records, part.measurement, whole=not part.passing)
    elif isinstance(done.work, ReliabilityCheck) and isinstance(done.result, Verdict):
        put_verdict(store, done.work.entry.cell.id, done.result)


def notes_of(done: Done) -> list[str]:
    """Return what the run reports about a unit."""
    if not isinstance(done.work, Unit) or not isinstance(done.result, list):
        return []
    return [
        f"{cell.model}: {note}"
        for (_, cell), part in zip(done.work.cells, done.result, strict=True)
        if isinstance(part, Part)
        for note in part.notes
    ]
