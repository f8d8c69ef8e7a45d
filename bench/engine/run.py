"""`bench.run`: resolve the request, plan it, run what is missing."""

import functools
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.datasets.table import SETS
from bench.engine.contract import Contract, check_subjects, put_contracts
from bench.engine.job import Cluster, Job
from bench.engine.lock import sole_driver
from bench.engine.manifest import put_environment, run_manifest
from bench.engine.plan import Plan, PlanEntry, Unit, check_precise, make_plan, units
from bench.engine.progress import Reporter, reporter
from bench.engine.reliability import PendingVerdicts, ReliabilityCheck, attacked
from bench.engine.session import Session, Settings, settle_torch, subjects_of
from bench.engine.standing import Mend, look
from bench.engine.stopping import Stopping, check_stoppable
from bench.engine.tally import Tally
from bench.engine.work import Done, Failed, WorkQueue, in_process, keep, notes_of, without_cells
from bench.engine.writers import WRITERS, Writers
from bench.errors import UsageError
from bench.folder.kept import KeptPictures
from bench.known_models import put_known_model
from bench.manifest import put_manifest
from bench.metrics.sequential import StopRule
from bench.metrics.told import Rule, TellRule
from bench.options import OPTIONS, RunOptions, Shard, keywords
from bench.options.values import listed, model_names
from bench.parts import put_cell
from bench.plain_torch import plain_torch
from bench.store import Store
from bench.suites.registry import check_used, find_suite
from model_zoo.errors import ZooError
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.registry import RANDOM, find_card, is_random, use_cards

Models = str | Model | Sequence[str | Model]
"""Names separated by commas, a model, or several of either."""

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
    _known_dataset(options.dataset)
    wanted = [find_suite(name) for name in dict.fromkeys(_listed(suites))]
    if not wanted:
        raise UsageError("--suite: no suite is named; `bench list suites` shows all")
    check_used(wanted, options)
    cluster = Cluster.wanted(options.ray, options.workers)
    kept = KeptPictures.parse(options.keep_adversarial)
    if kept and options.ray:
        raise UsageError("--keep-adversarial: the images would be written on the cluster's machines; leave out --ray")
    settings = Settings(
        options.data, options.limit, options.device, options.batch_size, options.seed, _rule(options), kept
    )
    session = settings.open(elsewhere=cluster is not None)
    asked = _listed_models(_drawn(models) if options.random_weights else models)
    if not asked:
        raise UsageError("--model: no model is named; `bench list models` shows all")
    _check_told(asked, options.until_told)
    loaded, faults = _models(asked, options.weights)
    store = Store(options.out)
    subjects = subjects_of(loaded.values(), options.protocol, store)
    plan = make_plan(subjects, wanted, options, session, faults)
    check_stoppable(wanted, plan, options)
    check_precise(plan, options, session.device)
    if kept and not attacked(plan):
        raise UsageError("--keep-adversarial: none of the suites has an attack; see `bench list attacks`")
    todo = _share(list(units(plan)), options.shard)
    there = look(plan, store, session)
    missing = {(u.setup.name, u.key): u for u in units(plan, there.done)}
    todo = [missing[u.setup.name, u.key] for u in todo if (u.setup.name, u.key) in missing]
    stopping = Stopping(plan, store)
    todo = [left for unit in todo if (left := without_cells(unit, stopping.stopped))]
    doubted = _share(attacked(plan), options.shard)
    exact = tuple(subject.known.exact for subject in subjects)
    job = Job(tuple(loaded), options.weights, options.protocol, settings, exact=exact)
    return Prepared(plan, session, store, todo, options, doubted, job, cluster, there.mends)


prepare = keywords(prepare_run)


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
    book = _Book(prepared)
    verdicts = PendingVerdicts(plan, store, prepared.doubted, prepared.options.reliability, prepared.todo)
    checks = len(verdicts)
    queue = WorkQueue([*prepared.todo, *verdicts.due()])
    if not queue:
        book.open()  # which is nothing new of a finished run: that may lie in a folder that is read only
        Tally(plan.faults).check()
        return
    tally = Tally([*plan.faults, *_look_at_models(book, queue)])
    with (
        sole_driver(store, book.run_id, prepared.options.shard),
        reporter(prepared.images, checks, quiet=prepared.options.quiet if quiet is None else quiet) as progress,
        closing(Writers(functools.partial(keep, store), WRITERS if prepared.cluster else 0)) as writers,
        closing(_executor(prepared, queue, book, progress.said)) as outcomes,
    ):
        for mend in prepared.mends:
            mend.carry_out(store)
        listeners, stopping = _Listeners(progress, watch, on_unit), Stopping(plan, store)
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                progress.said(str(outcome))
                tally.failed(outcome)
            else:
                book.open()
                writers.put(outcome)
                if isinstance(outcome.work, Unit) and (parts := outcome.whole):
                    verdicts.leave_out(stopping.note(outcome.work, parts, queue))
            # Verdicts read what is written, and may be the next work: where none is left, all writes are waited for.
            for done in writers.finished(every=not queue or isinstance(outcome, Failed)):
                queue.extend(verdicts.finished(done.work))
                tally.count(done)
                listeners.tell(done)
            if isinstance(outcome, Failed) and outcome.final:
                queue.extend(verdicts.finished(outcome.work))
    tally.check()


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


def _look_at_models(book: "_Book", queue: WorkQueue) -> list[str]:
    """Remove from `queue` the work of models that fail the contract; return why each fails. Raises `UsageError` if
    no model is left."""
    prepared = book.prepared
    book.seen, refused = check_subjects(
        prepared.session, prepared.plan.subjects, queue.first_of_each(), prepared.plan.randomised
    )
    if refused and not book.seen:
        raise UsageError("\n".join([*refused.values(), *prepared.plan.faults]))
    queue.without(refused)
    return list(refused.values())


class _Book:
    """The run's entry in the results folder, written when the first work is done: a failed start leaves none."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared, self.opened = prepared, False
        self.manifest = run_manifest(prepared.plan, prepared.session)
        self.run_id = self.manifest.id
        self.seen: dict[int, Contract] = {}
        self.places = [] if prepared.cluster or not prepared.todo else [self.manifest.environment]

    def open(self) -> None:
        """Write the run, its models and its cells, unless they are stored already."""
        if self.opened:
            return
        self.opened = True
        store, plan = self.prepared.store, self.prepared.plan
        put_manifest(store, self.manifest)
        put_contracts(store, self.run_id, plan.subjects, self.seen)
        for subject in plan.subjects:
            put_known_model(store, subject.known)
        for entry in plan.cells.values():
            put_cell(store, entry.cell)
        for where in self.places:
            put_environment(store, self.run_id, where)

    def worked_at(self, where: Mapping[str, Any]) -> None:
        """Store the environments of the work."""
        self.places.append(where)
        if self.opened:
            put_environment(self.prepared.store, self.run_id, where)


def _executor(
    prepared: Prepared, queue: WorkQueue, book: _Book, say: Callable[[str], None]
) -> Generator[Done | Failed]:
    if prepared.cluster is None:
        return in_process(prepared.session, prepared.plan.subjects, queue)
    from bench.engine.cluster import on_ray

    return on_ray(prepared.cluster, prepared.job, queue, book.worked_at, say)


def _drawn(models: Models) -> Models:
    """Return the names of models with random weights. Raises `UsageError` for one that has weights."""
    names = _listed_models(models)
    if given := [model.name for model in names if isinstance(model, Model)]:
        raise UsageError(f"--random-weights is for models by name; {given[0]} has its weights already")
    return [name if is_random(str(name)) else f"{RANDOM}{name}" for name in names]


def _models(asked: Sequence[str | Model], weights: str | None) -> tuple[dict[str | Model, Model], list[str]]:
    """Load each model; return its given and loaded form, and why others failed. If all fail, raise the first error."""
    if weights and len(asked) > 1:
        raise UsageError("--weights names one file: run one model at a time with it")
    file = Path(weights) if weights else None
    for name in asked:
        if not isinstance(name, Model):
            find_card(name)  # a name that there is not is a slip of the pen: before anything is loaded
    loaded: dict[str | Model, Model] = {}
    failed: list[tuple[str | Model, Exception]] = []
    for model in asked:
        try:
            loaded[model] = model if isinstance(model, Model) else load_model(model, weights_file=file)
        except ZooError as error:
            failed.append((model, error))
    if failed and not loaded:
        raise failed[0][1]
    return loaded, [f"{model}: not measured: {error}" for model, error in failed]


def _rule(options: RunOptions) -> Rule | None:
    """Return the rule that may stop a condition early. Raises `UsageError` for two rules at once."""
    if options.until is not None and options.until_told:
        raise UsageError("--until and --until-told: only one rule can stop a condition; give one of them")
    if options.gap != OPTIONS["gap"].default and not options.until_told:
        raise UsageError("--gap belongs to --until-told A,B; name the two models, or leave it out")
    if options.until_told:
        return TellRule(" and ".join(options.until_told), options.gap, options.seed)
    return None if options.until is None else StopRule(options.until, options.seed)


def _check_told(asked: Sequence[str | Model], told: Sequence[str]) -> None:
    """Raise `UsageError` unless the models are the two to compare."""
    names = [model if isinstance(model, str) else model.name for model in asked]
    if told and sorted(told) != sorted(names):
        raise UsageError(
            f"--until-told {','.join(told)}: the models of the run must be these two, found {', '.join(names)}"
        )


def _listed(value: Any) -> list[Any]:
    """Return `a,b` or a sequence as a list, without empty items."""
    return listed(value) if isinstance(value, str) else [item for item in value if item != ""]


def _listed_models(models: Models) -> list[str | Model]:
    """Split into models; commas within a `file:` name's options (`?mean=0.5,0.5`) do not separate."""
    if isinstance(models, str):
        return [*model_names(models)]
    return [models] if isinstance(models, Model) else list(models)


def _known_dataset(name: str | None) -> None:
    if name is not None and name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)


def _share(items: list[Item], shard: Shard | None) -> list[Item]:
    return items if shard is None else items[shard.index - 1 :: shard.count]
