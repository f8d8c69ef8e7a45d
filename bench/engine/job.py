"""The description of work for remote workers: names and settings, from which a worker opens and checks its own models
and data.

Imports nothing of Ray, so that everything except scheduling works, and is tested, without it.
"""

import contextlib
import functools
import importlib.util
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.engine.manifest import environment, package_versions
from bench.engine.part import Fault
from bench.engine.reliability import ReliabilityCheck
from bench.engine.session import Session, Settings, Subject, settle_torch
from bench.engine.work import Result, Work, perform
from bench.errors import BenchError, UsageError
from bench.options.run import InputRule
from model_zoo.load import load_model
from model_zoo.model import Model


@dataclass(frozen=True)
class Cluster:
    """Where work runs: `workers` processes (None: one per GPU, or per CPU without GPUs) of the Ray at `address`
    (None: a local one, for this run only)."""

    address: str | None
    workers: int | None

    @classmethod
    def wanted(cls, address: str | None, workers: int | None) -> "Cluster | None":
        """Return the cluster of `--ray` and `--workers`; None is this process. Raises `UsageError` if Ray is not
        installed."""
        if address is None and workers is None:
            return None
        if importlib.util.find_spec("ray") is None:
            raise UsageError("--workers and --ray need Ray: pip install 'robust-imagenet-bench[ray]'")
        return cls(address, workers)


def _surroundings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("BENCH_")}


@dataclass(frozen=True)
class Job:
    """The driver's models, settings, `BENCH_` variables, working directory and packages."""

    models: tuple[str | Model, ...]
    weights: str | None
    protocol: InputRule
    settings: Settings
    surroundings: Mapping[str, str] = field(default_factory=_surroundings)
    cwd: str = field(default_factory=lambda: str(Path.cwd()))
    packages: Mapping[str, str] = field(default_factory=package_versions)
    exact: tuple[str, ...] = ()
    """The exact hash of each model."""


@dataclass(frozen=True)
class Trouble:
    """Why a worker has no result; `broken` if it must not be used again, `unfit` if its whole machine cannot be
    used."""

    reason: str
    broken: bool = True
    unfit: bool = False


class UnfitError(Exception):
    """This machine cannot do the driver's work: other or missing packages, data or weights."""


class Worker:
    """Runs work of a job, with models loaded once and data read locally; uses one torch thread."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.subjects: dict[int, Subject] = {}

    def ready(self) -> dict[str, Any] | Trouble:
        """The worker's environment, as stored in results folders."""
        try:
            return self._open()
        except (Exception, SystemExit) as error:
            return Trouble(f"{platform.node()}: {Fault.of(error).reason}", unfit=True)

    def do(self, work: Work, then: Work | None = None) -> Result | Trouble:
        """Return the result of the work, or why there is none; `then` is the work to expect after it. Raises
        nothing."""
        try:
            self._fit(work)
        except (Exception, SystemExit) as error:
            return Trouble(f"{platform.node()}: {Fault.of(error).reason}", unfit=True)
        try:
            return perform(self.session, self.subjects, work, then if then and self._is_open(then) else None)
        except (Exception, SystemExit) as error:
            # A CUDA context after an error, and reading threads that hang, serve no other unit.
            broken = self.session.device.type == "cuda" or isinstance(error, BenchError)
            return Trouble(f"{platform.node()}: {Fault.of(error).reason}", broken=broken)

    @functools.cached_property
    def session(self) -> Session:
        """Open the session on this machine's data and device."""
        return self.job.settings.open()

    def _open(self) -> dict[str, Any]:
        for name, value in self.job.surroundings.items():
            os.environ.setdefault(name, value)  # a node's own BENCH_DATA and BENCH_CACHE go first
        with contextlib.suppress(OSError):
            os.chdir(self.job.cwd)  # relative --data, --weights and file: models
        settle_torch(threads=1)
        here = package_versions()
        if unlike := [f"{name} {here[name]} (driver: {v})" for name, v in self.job.packages.items() if here[name] != v]:
            raise UnfitError(f"install the driver's versions: {', '.join(unlike)}")
        return environment(self.session)

    def _fit(self, work: Work) -> None:
        """Open what the work needs, and compare it with the driver's plan."""
        dataset = self.session.dataset_of(work.setup)
        for index, cell in work.cells:
            if dataset.manifest != cell.protocol.manifest:
                raise UnfitError(
                    f"data set {dataset.name} has manifest {dataset.manifest}, the driver's {cell.protocol.manifest}: "
                    "other images, names or sizes; `bench doctor DIR` looks closer"
                )
            found, wanted = self._subject(index).known.exact, self.job.exact[index]
            if found != wanted:
                raise UnfitError(
                    f"model {cell.model} has weights or source {found[:16]}, the driver's {wanted[:16]}; "
                    f"`bench weights verify {cell.model}` looks closer"
                )
        if isinstance(work, ReliabilityCheck) and work.surrogate is not None:
            self._subject(work.surrogate)

    def _is_open(self, work: Work) -> bool:
        return self.session.is_open(work.setup) and all(index in self.subjects for index, _ in work.cells)

    def _subject(self, index: int) -> Subject:
        if index not in self.subjects:
            model, file = self.job.models[index], self.job.weights
            loaded = model if isinstance(model, Model) else load_model(model, weights_file=Path(file) if file else None)
            self.subjects[index] = Subject.of(loaded, self.job.protocol)
        return self.subjects[index]
