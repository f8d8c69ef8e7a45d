"""`bench.run`: resolve what was asked, plan it, do what is missing, return the table."""

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from bench.attacks.base import parse_eps
from bench.datasets.preprocess import InputProtocol
from bench.datasets.table import SETS
from bench.engine.job import Cluster, Job
from bench.engine.lock import sole_driver
from bench.engine.manifest import environment, put_environment, put_manifest, run_manifest
from bench.engine.plan import Plan, PlanEntry, Unit, make_plan, units
from bench.engine.progress import reporter
from bench.engine.reliability import SAMPLE, ReliabilityCheck, attacked, reliability_checks
from bench.engine.session import Session, Settings, Subject, settle_torch
from bench.engine.work import Done, Failed, WorkQueue, in_process, keep
from bench.errors import IncompleteError, UsageError
from bench.store import Store, put_cell
from bench.suites.base import Options
from bench.suites.registry import find_suite
from model_zoo.load import Model, load_model

DEFAULT_OUT = "results/runs"

HOPELESS = 3
"""Works given up before any has succeeded, at which a run stops."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Every `count`-th unit, beginning with number `index` (1-based): for machines that share nothing."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`2/3`. Raises `UsageError` unless 1 <= i <= n."""
        try:
            index, count = (int(part) for part in text.split("/"))
        except ValueError:
            raise UsageError(f"--shard: expected i/n such as 2/3, found {text!r}") from None
        if not 1 <= index <= count:
            raise UsageError(f"--shard: i must lie in 1..n, found {text!r}")
        return cls(index, count)


@dataclass(frozen=True)
class Prepared:
    """A run about to start: its plan, the units that are missing, and the cells to be doubted on `sample` images.

    `job` is what a worker elsewhere needs; with a `cluster` the work is done there.
    """

    plan: Plan
    session: Session
    store: Store
    todo: list[Unit]
    given: dict[str, Any]
    doubted: list[PlanEntry]
    sample: int
    job: Job
    cluster: Cluster | None = None

    @property
    def images(self) -> int:
        """Images times models still to be measured."""
        return sum(unit.images for unit in self.todo)


def run(
    models: str | Model | Sequence[str | Model], suites: str | Sequence[str], *, quiet: bool = False, **options: Any
) -> pd.DataFrame:
    """Measure `models` by `suites` and return the results table of this run (see `bench.results`).

    Units already in the results folder `out` are not measured again: the same call continues an interrupted run.
    Options are those of `prepare`. Raises the errors of `bench.errors` and `model_zoo.errors`.
    """
    from bench.folder.tables import results

    prepared = prepare(models, suites, **options)
    carry_out(prepared, quiet=quiet)
    return results(prepared.store.address, cells=set(prepared.plan.cells))


def prepare(
    models: str | Model | Sequence[str | Model],
    suites: str | Sequence[str],
    *,
    dataset: str | None = None,
    data: str | Path | None = None,
    out: str | Path = DEFAULT_OUT,
    protocol: InputProtocol = "canonical",
    limit: int | None = None,
    seed: int = 0,
    weights: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    eps: str | Sequence[str | Fraction] = (),
    norm: str = "linf",
    steps: int | None = None,
    step_size: str | Fraction | None = None,
    restarts: int = 1,
    targeted: bool = False,
    attack_engine: str = "native",
    reliability: int = SAMPLE,
    shard: str | None = None,
    workers: int | None = None,
    ray: str | None = None,
) -> Prepared:
    """Load the models, open the data and find what is missing, without measuring anything.

    `data` is a folder as for `--data`; `limit` takes that many images of each set; `eps` and `step_size` are in units
    of [0, 1] (`"4/255"`); `reliability` is the number of images on which a robust accuracy is doubted (0: not at all);
    `shard` is `i/n`; `workers` is a number of processes of a local Ray, or of the cluster at the address `ray`.
    Everything is checked before anything is computed.
    """
    given: dict[str, Any] = {
        k: str(v) for k, v in locals().items() if v not in (None, (), False) and k not in ("models", "suites")
    }
    chosen = Options(
        dataset=_known_dataset(dataset),
        protocol=protocol,
        eps=tuple(parse_eps(e) for e in _listed(eps)),
        norm=norm,
        steps=_positive("--steps", steps),
        step_size=parse_eps(step_size) if step_size else None,
        restarts=_positive("--restarts", restarts) or 1,
        targeted=targeted,
        attack_engine=attack_engine,
    )
    wanted = [find_suite(name) for name in dict.fromkeys(_listed(suites))]
    cluster = Cluster.wanted(ray, _positive("--workers", workers))
    settings = Settings(
        str(data) if data else None, _positive("--limit", limit), device, _positive("--batch-size", batch_size), seed
    )
    session = settings.open()
    loaded = _models(models, weights)
    subjects = [Subject.of(model, protocol) for model in loaded.values()]
    plan = make_plan(subjects, wanted, chosen, session)
    store = Store(out)
    todo = _share(list(units(plan)), shard)
    missing = {(u.condition.name, u.key): u for u in units(plan, store)}
    todo = [missing[u.condition.name, u.key] for u in todo if (u.condition.name, u.key) in missing]
    given |= {"models": [s.model.name for s in subjects], "suites": [s.name for s in wanted]}
    doubted = _share(attacked(plan), shard)
    job = Job(tuple(loaded), str(weights) if weights else None, protocol, settings)
    sample = _at_least_zero("--reliability", reliability)
    return Prepared(plan, session, store, todo, given, doubted, sample, job, cluster)


def carry_out(prepared: Prepared, *, quiet: bool = False, on_unit: Callable[[Unit], None] | None = None) -> None:
    """Do what is missing, here or on Ray's workers; this process alone writes, each unit as soon as it is done.

    Raises `IncompleteError` when works had to be given up; all others are stored.
    """
    plan, session, store = prepared.plan, prepared.session, prepared.store
    settle_torch()
    where = environment(session)
    run_id = put_manifest(store, run_manifest(plan, session, prepared.given), where)
    for entry in plan.cells.values():
        put_cell(store, entry.cell)
    queue = WorkQueue([*prepared.todo, *reliability_checks(plan, store, prepared.doubted, prepared.sample)])
    if not queue:
        return  # and nothing is written: a finished run may lie in a folder that is read only
    if prepared.cluster is None:
        put_environment(store, run_id, where)
    with (
        sole_driver(store, run_id, prepared.given.get("shard")),
        reporter(prepared.images, quiet=quiet) as progress,
        closing(_executor(prepared, queue, run_id, progress.said)) as outcomes,
    ):
        tally = Tally()
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                progress.said(str(outcome))
                tally.failed(outcome)
                continue
            keep(store, outcome)
            tally.done += 1
            progress.finished(
                outcome.work.name if isinstance(outcome.work, ReliabilityCheck) else outcome.work.condition.name,
                outcome.work.images,
            )
            if on_unit and isinstance(outcome.work, Unit):
                on_unit(outcome.work)
    tally.check()


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

    def check(self) -> None:
        """Raise `IncompleteError` if anything was given up."""
        if self.given_up:
            first = self.given_up[0]
            raise IncompleteError(
                f"{len(self.given_up)} units were given up, {self.done} are done and stored; the first is "
                f"{first.work.name} after {first.attempt} attempts: {first.reason}; "
                "next: mend the cause and repeat the same command, which does what is missing"
            )


def _models(models: str | Model | Sequence[str | Model], weights: str | Path | None) -> dict[str | Model, Model]:
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


def _known_dataset(name: str | None) -> str | None:
    if name is not None and name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)
    return name


def _positive(option: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise UsageError(f"{option}: expected a whole number of at least 1, found {value}")
    return value


def _at_least_zero(option: str, value: int) -> int:
    if value < 0:
        raise UsageError(f"{option}: expected a whole number, 0 to leave it out, found {value}")
    return value


def _share(items: list[Item], shard: str | None) -> list[Item]:
    if shard is None:
        return items
    part = Shard.parse(shard)
    return items[part.index - 1 :: part.count]
