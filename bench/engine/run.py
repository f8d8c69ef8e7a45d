"""`bench.run`: resolve what was asked, plan it, do what is missing, return the table."""

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from bench.datasets.table import SETS
from bench.engine.contract import check_subjects, put_contracts
from bench.engine.job import Cluster, Job
from bench.engine.lock import sole_driver
from bench.engine.manifest import put_environment, run_manifest
from bench.engine.plan import Plan, PlanEntry, Unit, make_plan, units
from bench.engine.progress import reporter
from bench.engine.reliability import PendingVerdicts, ReliabilityCheck, attacked
from bench.engine.session import Session, Settings, settle_torch, subjects_of
from bench.engine.stopping import Stopping, check_stoppable
from bench.engine.work import Done, Failed, WorkQueue, in_process, keep, notes_of, without_cells
from bench.errors import IncompleteError, UsageError
from bench.known_models import put_known_model
from bench.manifest import put_manifest
from bench.options import RunOptions, Shard, keywords
from bench.store import Store, put_cell
from bench.suites.registry import check_used, find_suite
from model_zoo.load import Model, load_model

Models = str | Model | Sequence[str | Model]
"""Names at commas, a model, or several of either."""

HOPELESS = 3
"""Works given up before any has succeeded, at which a run stops."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Prepared:
    """A run about to start: its plan, the units that are missing, and the cells whose reliability is to be checked.

    `job` is what a worker elsewhere needs; with a `cluster` the work is done there.
    """

    plan: Plan
    session: Session
    store: Store
    todo: list[Unit]
    options: RunOptions
    doubted: list[PlanEntry]
    job: Job
    cluster: Cluster | None = None

    @property
    def images(self) -> int:
        """Images times models still to be measured."""
        return sum(unit.images for unit in self.todo)


@keywords
def run(models: Models, suites: str | Sequence[str], options: RunOptions) -> pd.DataFrame:
    """Measure `models` by `suites` and return the results table of this run (see `bench.results`).

    Units already in the results folder `out` are not measured again: the same call continues an interrupted run.
    Everything is checked before anything is computed. Raises the errors of `bench.errors` and `model_zoo.errors`.
    """
    from bench.folder.tables import results

    prepared = prepare_run(models, suites, options)
    carry_out(prepared)
    return results(prepared.store.address, cells=set(prepared.plan.cells))


def prepare_run(models: Models, suites: str | Sequence[str], options: RunOptions) -> Prepared:
    """Load the models, open the data and find what is missing, without measuring anything."""
    _known_dataset(options.dataset)
    wanted = [find_suite(name) for name in dict.fromkeys(_listed(suites))]
    check_used(wanted, options)
    cluster = Cluster.wanted(options.ray, options.workers)
    settings = Settings(options.data, options.limit, options.device, options.batch_size, options.seed, options.until)
    session = settings.open()
    loaded = _models(models, options.weights)
    store = Store(options.out)
    subjects = subjects_of(loaded.values(), options.protocol, store)
    plan = make_plan(subjects, wanted, options, session)
    check_stoppable(wanted, plan, options)
    todo = _share(list(units(plan)), options.shard)
    missing = {(u.condition.name, u.key): u for u in units(plan, store)}
    todo = [missing[u.condition.name, u.key] for u in todo if (u.condition.name, u.key) in missing]
    stopping = Stopping(plan, store)
    todo = [left for unit in todo if (left := without_cells(unit, stopping.stopped))]
    doubted = _share(attacked(plan), options.shard)
    exact = tuple(subject.known.exact for subject in subjects)
    job = Job(tuple(loaded), options.weights, options.protocol, settings, exact=exact)
    return Prepared(plan, session, store, todo, options, doubted, job, cluster)


prepare = keywords(prepare_run)


def carry_out(prepared: Prepared, *, quiet: bool | None = None, on_unit: Callable[[Unit], None] | None = None) -> None:
    """Do what is missing, here or on Ray's workers; this process alone writes, each unit as soon as it is done.

    `quiet` overrides the option. Raises `IncompleteError` when works had to be given up; all others are stored.
    """
    plan, session, store = prepared.plan, prepared.session, prepared.store
    settle_torch(prepared.options.threads)
    manifest = run_manifest(plan, session)
    run_id = put_manifest(store, manifest)
    for subject in plan.subjects:
        put_known_model(store, subject.known)
    for entry in plan.cells.values():
        put_cell(store, entry.cell)
    verdicts = PendingVerdicts(plan, store, prepared.doubted, prepared.options.reliability, prepared.todo)
    queue = WorkQueue([*prepared.todo, *verdicts.due()])
    if not queue:
        return  # and nothing is written: a finished run may lie in a folder that is read only
    refused = _look_at_models(prepared, run_id, queue)
    if prepared.cluster is None:
        put_environment(store, run_id, manifest.environment)
    with (
        sole_driver(store, run_id, prepared.options.shard),
        reporter(prepared.images, quiet=prepared.options.quiet if quiet is None else quiet) as progress,
        closing(_executor(prepared, queue, run_id, progress.said)) as outcomes,
    ):
        tally, said = Tally(), set[str]()
        stopping = Stopping(plan, store)
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                progress.said(str(outcome))
                tally.failed(outcome)
                if outcome.final:
                    queue.extend(verdicts.finished(outcome.work))
                continue
            keep(store, outcome)
            if isinstance(outcome.work, Unit) and isinstance(outcome.result, list):
                stopping.note(outcome.work, outcome.result, queue)
            queue.extend(verdicts.finished(outcome.work, stopping.stopped))
            for note in notes_of(outcome):
                if note not in said:
                    progress.said(note)
                said.add(note)
            tally.done += 1
            progress.finished(
                outcome.work.name if isinstance(outcome.work, ReliabilityCheck) else outcome.work.condition.name,
                outcome.work.images,
            )
            if on_unit and isinstance(outcome.work, Unit):
                on_unit(outcome.work)
    tally.check(refused)


def _look_at_models(prepared: Prepared, run_id: str, queue: WorkQueue) -> list[str]:
    """Take out of `queue` what a model that breaks the contract was to do; why each does.

    Raises `UsageError` where no model is left.
    """
    plan = prepared.plan
    seen, refused = check_subjects(prepared.session, plan.subjects, queue.first_of_each())
    if refused and not seen:
        raise UsageError("\n".join(refused.values()))
    put_contracts(prepared.store, run_id, plan.subjects, seen)
    queue.without(refused)
    return list(refused.values())


def _executor(
    prepared: Prepared, queue: WorkQueue, run_id: str, say: Callable[[str], None]
) -> Generator[Done | Failed]:
    if prepared.cluster is None:
        return in_process(prepared.session, prepared.plan.subjects, queue)
    from bench.engine.cluster import on_ray

    def on_ready(where: dict[str, Any]) -> None:
        put_environment(prepared.store, run_id, where)

    return on_ray(prepared.cluster, prepared.job, queue, on_ready, say)


@dataclass
class Tally:
    """How many works are done and which were given up."""

    done: int = 0
    given_up: list[Failed] = field(default_factory=list)

    def failed(self, failure: Failed) -> None:
        """Count it. Raises `IncompleteError` where nothing has succeeded yet: then it is not the unit's fault."""
        self.given_up += [failure] if failure.final else []
        if not self.done and len(self.given_up) == HOPELESS:
            self.check()

    def check(self, refused: Sequence[str] = ()) -> None:
        """Raise `IncompleteError` if anything was given up, or models were `refused`."""
        if refused:
            raise IncompleteError(
                f"{len(refused)} models were refused, the others are done and stored:\n" + "\n".join(refused)
            )
        if self.given_up:
            first = self.given_up[0]
            raise IncompleteError(
                f"{len(self.given_up)} units were given up, {self.done} are done and stored; the first is "
                f"{first.work.name} after {first.attempt} attempts: {first.reason}; "
                "next: mend the cause and repeat the same command, which does what is missing"
            )


def _models(models: Models, weights: str | None) -> dict[str | Model, Model]:
    """Each as it was asked for, and loaded."""
    listed = [models] if isinstance(models, Model) else _names(models)
    if weights and len(listed) > 1:
        raise UsageError("--weights names one file: run one model at a time with it")
    file = Path(weights) if weights else None
    return {m: m if isinstance(m, Model) else load_model(m, weights_file=file) for m in listed}


def _listed(value: Any) -> list[Any]:
    """`a,b` or a sequence, as a list; raises `UsageError` if it is empty where a name is expected."""
    items = value.split(",") if isinstance(value, str) else list(value)
    return [item.strip() if isinstance(item, str) else item for item in items if item != ""]


def _names(models: str | Sequence[str | Model]) -> list[str | Model]:
    """Model names at commas; those within the options of a `file:` name (`?mean=0.5,0.5,0.5`) precede numbers."""
    return re.split(r",(?![-.\d])", models) if isinstance(models, str) else list(models)


def _known_dataset(name: str | None) -> None:
    if name is not None and name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)


def _share(items: list[Item], shard: Shard | None) -> list[Item]:
    return items if shard is None else items[shard.index - 1 :: shard.count]
