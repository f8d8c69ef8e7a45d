"""`bench.run`: resolve the request, plan it, run what is missing."""

import functools
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from bench.engine.asked import Models, asked_folder, asked_models, asked_rule, asked_suites, load_models
from bench.engine.book import RunBook
from bench.engine.contract import check_subjects
from bench.engine.job import Cluster, Job
from bench.engine.lock import sole_driver
from bench.engine.plan import Plan, PlanEntry, Unit, check_precise, make_plan, units
from bench.engine.progress import Reporter, reporter
from bench.engine.reliability import PendingVerdicts, ReliabilityCheck, attacked
from bench.engine.session import Session, Settings, settle_torch, subjects_of
from bench.engine.standing import Mend, Standing, look
from bench.engine.stopping import Stopping, check_stoppable
from bench.engine.tally import Tally
from bench.engine.work import Done, Failed, WorkQueue, in_process, keep, notes_of, without_cells
from bench.engine.writers import WRITERS, Writers
from bench.errors import UsageError
from bench.options import RunOptions, Shard, keywords
from bench.plain_torch import plain_torch
from bench.store import Store
from model_zoo.registry import use_cards

Item = TypeVar("Item")


@dataclass(frozen=True)
class Prepared:
    """A run ready to start: its plan, the missing units, and the cells to check for reliability.

    `job` describes the work for remote workers; with a `cluster` it runs there. `mends` repair parts that are stored
    already.
    """

    plan: Plan
    session: Session
    store: Store
    todo: list[Unit]
    options: RunOptions
    doubted: list[PlanEntry]
    job: Job
    cluster: Cluster | None = None
    mends: tuple[Mend, ...] = ()

    @property
    def images(self) -> int:
        """Images times models still to be measured."""
        return sum(unit.images for unit in self.todo)


@plain_torch()
def prepare_run(models: Models, suites: str | Sequence[str], options: RunOptions) -> Prepared:
    """Load the models, open the data and find what is missing, without measuring anything."""
    if options.cards:
        use_cards(options.cards)
    wanted = asked_suites(suites, options)
    cluster = Cluster.wanted(options.ray, options.workers)
    kept, rule = asked_folder(options), asked_rule(options)
    settings = Settings(options.data, options.limit, options.device, options.batch_size, options.seed, rule, kept)
    session = settings.open(elsewhere=cluster is not None)
    loaded, faults = load_models(asked_models(models, options), options.weights)
    store = Store(options.out)
    subjects = subjects_of(loaded.values(), options.protocol, store)
    plan = make_plan(subjects, wanted, options, session, faults)
    check_stoppable(wanted, plan, options)
    check_precise(plan, options, session.device)
    if kept and not attacked(plan):
        raise UsageError(
            "--keep-adversarial: none of the suites has an attack, except on random models, which classify a file "
            "differently each time; see `bench list attacks`"
        )
    there = look(plan, store, session)
    todo = _missing(plan, there, Stopping(plan, store).stopped, options.shard)
    doubted = _share(attacked(plan), options.shard)
    exact = tuple(subject.known.exact for subject in subjects)
    job = Job(tuple(loaded), options.weights, options.protocol, settings, exact=exact)
    return Prepared(plan, session, store, todo, options, doubted, job, cluster, there.mends)


prepare = keywords(prepare_run)


def _missing(plan: Plan, there: Standing, stopped: Collection[str], shard: Shard | None) -> list[Unit]:
    """Return this shard's units that are neither stored nor made superfluous by a rule."""
    missing = {(unit.setup.name, unit.key): unit for unit in units(plan, there.done)}
    mine = [(unit.setup.name, unit.key) for unit in _share(list(units(plan)), shard)]
    return [left for key in mine if key in missing and (left := without_cells(missing[key], stopped))]


@plain_torch()
def carry_out(
    prepared: Prepared,
    *,
    quiet: bool | None = None,
    on_unit: Callable[[Unit], None] | None = None,
    watch: Reporter | None = None,
) -> None:
    """Run what is missing, here or on Ray's workers; only this process writes, each unit as soon as it is done.

    `quiet` overrides the option; `watch` is notified of progress besides the terminal. Raises `IncompleteError` if work
    had to be given up; everything else is stored.
    """
    plan, store = prepared.plan, prepared.store
    settle_torch(prepared.options.threads)
    book = RunBook(store, plan, prepared.session, works_here=bool(prepared.todo) and not prepared.cluster)
    verdicts = PendingVerdicts(plan, store, prepared.doubted, prepared.options.reliability, prepared.todo)
    checks = len(verdicts)
    queue = WorkQueue([*prepared.todo, *verdicts.due()])
    if not queue:
        book.open()  # which is nothing new of a finished run: that may lie in a folder that is read only
        Tally(plan.faults).check()
        return
    tally = Tally([*plan.faults, *_look_at_models(prepared, book, queue)])
    with (
        sole_driver(store, book.run_id, prepared.options.shard),
        reporter(prepared.images, checks, quiet=prepared.options.quiet if quiet is None else quiet) as progress,
        closing(Writers(functools.partial(keep, store), WRITERS if prepared.cluster else 0)) as writers,
        closing(_executor(prepared, queue, book, progress.said)) as outcomes,
    ):
        for remark in _remarks(prepared, book):
            progress.said(remark)
        for mend in prepared.mends:
            mend.carry_out(store)
        listeners = _Listeners(progress, watch, on_unit)
        keeper = _Keeper(book, queue, verdicts, Stopping(plan, store), tally, writers, listeners)
        for outcome in outcomes:
            keeper.take(outcome)
    tally.check()


@dataclass(frozen=True)
class _Keeper:
    """What happens to each outcome: it is stored and counted, and adds or removes work that depends on it."""

    book: RunBook
    queue: WorkQueue
    verdicts: PendingVerdicts
    stopping: Stopping
    tally: Tally
    writers: Writers
    listeners: "_Listeners"

    def take(self, outcome: Done | Failed) -> None:
        if isinstance(outcome, Failed):
            self.listeners.progress.said(str(outcome))
            self.tally.failed(outcome)
        else:
            self._put(outcome)
        # Verdicts read stored parts and may be the next work: if none is left, wait for all writes.
        for done in self.writers.finished(every=not self.queue or isinstance(outcome, Failed)):
            self.queue.extend(self.verdicts.finished(done.work))
            self.tally.count(done)
            self.listeners.tell(done)
        if isinstance(outcome, Failed) and outcome.final:
            self.queue.extend(self.verdicts.finished(outcome.work))

    def _put(self, done: Done) -> None:
        self.book.open()
        self.writers.put(done)
        if isinstance(done.work, Unit) and (parts := done.whole):
            self.verdicts.leave_out(self.stopping.note(done.work, parts, self.queue))


class _Listeners:
    """Who is told of what is done: the terminal, the caller's reporter and `on_unit`; of each note once."""

    def __init__(self, progress: Reporter, watch: Reporter | None, on_unit: Callable[[Unit], None] | None) -> None:
        self.progress, self.watch, self.on_unit = progress, watch, on_unit
        self.said: set[str] = set()

    def tell(self, done: Done) -> None:
        for note in notes_of(done):
            if note not in self.said:
                self.progress.said(note)
            self.said.add(note)
        work = done.work
        name = work.name if isinstance(work, ReliabilityCheck) else work.setup.name
        for told in filter(None, (self.progress, self.watch)):
            told.finished(name, work.images)
        if self.on_unit and isinstance(work, Unit):
            self.on_unit(work)


def _look_at_models(prepared: Prepared, book: RunBook, queue: WorkQueue) -> list[str]:
    """Remove from `queue` the work of models that fail the contract; return why each fails. Raises `UsageError` if
    no model is left."""
    book.seen, refused = check_subjects(
        prepared.session, prepared.plan.subjects, queue.first_of_each(), prepared.plan.randomised
    )
    if refused and not book.seen:
        raise UsageError("\n".join([*refused.values(), *prepared.plan.faults]))
    queue.without(refused)
    return list(refused.values())


def _remarks(prepared: Prepared, book: RunBook) -> Iterator[str]:
    """Yield what readers should know of the models that are measured."""
    cells = prepared.plan.cells.values()
    for index, contract in book.seen.items():
        subject = prepared.plan.subjects[index]
        raw = any(not prepared.session.dataset_of(e.setup).as_stored for e in cells if e.subject == index)
        remarks = (*subject.remarks(photographs=raw), *contract.remarks)
        yield from (f"{subject.model.name}: {remark}" for remark in remarks)


def _executor(
    prepared: Prepared, queue: WorkQueue, book: RunBook, say: Callable[[str], None]
) -> Generator[Done | Failed]:
    if prepared.cluster is None:
        return in_process(prepared.session, prepared.plan.subjects, queue)
    from bench.engine.cluster import on_ray

    return on_ray(prepared.cluster, prepared.job, queue, book.worked_at, say)


def _share(items: list[Item], shard: Shard | None) -> list[Item]:
    return items if shard is None else items[shard.index - 1 :: shard.count]
