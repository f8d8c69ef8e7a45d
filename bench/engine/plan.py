"""The plan: from models, suites and options to cells and units. Units depend only on the plan, never on batch size
or machine."""

import dataclasses
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from bench import corruptions
from bench.datasets.base import Dataset
from bench.datasets.labels import check_fit, check_names, label_space
from bench.datasets.preprocess import rule, stored_rule
from bench.engine.session import Session, Subject
from bench.errors import BenchError, UsageError
from bench.folder.suites import SuiteCells
from bench.options import Precision, RunOptions
from bench.options.run import InputRule
from bench.record import Cell, Protocol, UnitKey
from bench.suites import base
from bench.suites.base import Setup, Suite
from model_zoo.card import InputSpec
from model_zoo.inspect_network import class_names_of


@dataclass(frozen=True)
class PlanEntry:
    """One line of the plan: a suite needs this condition of this model, which is this cell."""

    suite: str
    subject: int
    setup: Setup
    cell: Cell
    images: int


@dataclass(frozen=True)
class Unit:
    """One condition on the images [start, stop), for all models (`cells` by subject) with a missing part."""

    setup: Setup
    key: UnitKey
    cells: tuple[tuple[int, Cell], ...]

    @property
    def images(self) -> int:
        """Images times models."""
        return (self.key.stop - self.key.start) * len(self.cells)

    @property
    def name(self) -> str:
        """Key that differs for every unit of the plan."""
        of = f" of {self.cells[0][1].model}" if len(self.cells) == 1 else ""
        return f"{self.setup.name} [{self.key.start}, {self.key.stop}){of}"

    @property
    def block(self) -> Hashable:
        """Key of a block of units on the same images: whoever did one of them has decoded the images for the rest."""
        return source_of(self.setup), self.key.start // base.UNIT_IMAGES


@dataclass(frozen=True)
class Plan:
    """Everything that a run will measure, and why some of the request will not be."""

    subjects: Sequence[Subject]
    suites: Sequence[Suite]
    options: RunOptions
    entries: Sequence[PlanEntry]
    faults: Sequence[str] = ()

    @property
    def randomised(self) -> set[int]:
        """Return the models, by index, that are used only by suites for randomised models."""
        wanted = {entry.subject for entry in self.entries}
        return wanted - {entry.subject for entry in self.entries if not _randomised(entry.setup)}

    @property
    def cells(self) -> dict[str, PlanEntry]:
        """Return every cell once, by id, with the first entry that needs it."""
        found: dict[str, PlanEntry] = {}
        for entry in self.entries:
            found.setdefault(entry.cell.id, entry)
        return found

    @property
    def asked(self) -> set[SuiteCells]:
        """Return each suite with its cells of each model."""
        found: dict[tuple[str, int], set[str]] = {}
        for entry in self.entries:
            found.setdefault((entry.suite, entry.subject), set()).add(entry.cell.id)
        return {(suite, frozenset(cells)) for (suite, _), cells in found.items()}


def _randomised(setup: Setup) -> bool:
    return setup.attack is not None and setup.attack.randomised


def make_plan(
    subjects: Sequence[Subject],
    suites: Sequence[Suite],
    options: RunOptions,
    session: Session,
    faults: Sequence[str] = (),
) -> Plan:
    """Return every (suite, model, condition) with its cell, and why a suite or model has none, besides the known
    `faults`.

    Raises `UsageError` for invalid options, and the first fault if there would be no cell at all.
    """
    entries: list[PlanEntry] = []
    found: list[tuple[str, BenchError]] = []
    for suite in suites:
        for index, subject in enumerate(subjects):
            asked = suite.conditions(subject.model.card, options)
            setups = [_searched_in(options.precision, setup) for setup in asked]
            try:
                entries += _entries(suite.name, index, subject, setups, options, session)
            except BenchError as error:
                found.append((f"{subject.model.name}, {suite.name}: not measured: {error}", error))
    if found and not entries:
        raise found[0][1]
    return Plan(subjects, suites, options, entries, (*faults, *(says for says, _ in found)))


def _entries(
    suite: str, index: int, subject: Subject, setups: Iterable[Setup], options: RunOptions, session: Session
) -> list[PlanEntry]:
    """The cells of one model in one suite. Raises `DataError` or `UsageError` when data or label spaces do not fit."""
    entries = []
    for setup in setups:
        if setup.optional and not session.roots.holds(setup.dataset):
            continue
        dataset = session.dataset_of(setup)
        _check_size(dataset, subject)
        space = label_space(dataset.labels)
        check_fit(space, subject.model.card, dataset.folders)
        check_names(class_names_of(subject.model.net), dataset.folders)
        if space.members and (setup.attack or any(probe.all_classes for probe in setup.probes)):
            raise UsageError(f"{setup.name}: attacks work on all of a model's classes, not on {space.name}")
        cell = _cell(subject, setup, dataset, options, session.seed)
        entries.append(PlanEntry(suite, index, setup, cell, len(dataset)))
    return entries


def _check_size(dataset: Dataset, subject: Subject) -> None:
    """Raise `UsageError` if images in memory would have to be resized."""
    if dataset.exact and dataset.side != subject.spec.size:
        raise UsageError(
            f"{dataset.name}: images of {dataset.side} x {dataset.side}, where {subject.model.name} takes "
            f"{subject.spec.size} x {subject.spec.size}: images in memory are used pixel for pixel; resize them, or "
            "give them as PIL images, which the input prepares"
        )


def _searched_in(precision: Precision, setup: Setup) -> Setup:
    """Return `setup` with its attack, if it has one, made in `precision`."""
    if setup.attack is None or precision == "fp32":
        return setup
    return dataclasses.replace(setup, attack=setup.attack.searched_in(precision))


def check_precise(plan: Plan, options: RunOptions, device: torch.device) -> None:
    """Raise `UsageError` if `--precision` would have no effect, since accuracy without attack is measured in
    float32, or if the device does not support it."""
    if options.precision == "tf32" and device.type != "cuda":
        raise UsageError(f"--precision: tf32 needs a CUDA device, found {device}: use bf16, or leave it out")
    if options.precision != "fp32" and not any(entry.setup.attack for entry in plan.entries):
        raise UsageError("--precision: none of the suites has an attack; clean accuracy is always measured in float32")


def _cell(subject: Subject, setup: Setup, dataset: Dataset, options: RunOptions, seed: int) -> Cell:
    lowered = options.precision != "fp32"
    protocol = Protocol(
        dataset=dataset.name,
        manifest=dataset.manifest,
        images=len(dataset),
        labels=dataset.labels,
        condition=setup.name,
        preprocessing=_preprocessing(subject.model.input, setup, dataset, options.protocol),
        implementation=_implementation(setup),
        precision=f"attacked in {options.precision}" if lowered and setup.attack else "float32",
    )
    spec = subject.spec.record()
    return Cell(subject.model.name, subject.fingerprint, spec, protocol, seed, dataset.subset)


def _preprocessing(spec: InputSpec, setup: Setup, dataset: Dataset, protocol: InputRule) -> str:
    if dataset.as_stored:
        return stored_rule(spec, protocol, dataset.side)
    return rule(spec, protocol, corrupted=setup.corruption is not None)


def _implementation(setup: Setup) -> str:
    made = [f"corruptions {corruptions.VERSION}"] if setup.corruption else []
    attacked = [setup.attack.implementation] if setup.attack else []
    return "; ".join([*made, *attacked, *(f"diagnostics {p.name} {p.version}" for p in setup.probes)])


def units(plan: Plan, done: Mapping[str, Collection[UnitKey]] | None = None) -> Iterator[Unit]:
    """Return the units except those that are `done`, by cell, in the order that decodes images least often.
    Conditions on the same images follow each other; models with the same condition share one unit."""
    grouped: dict[tuple[str, UnitKey], list[PlanEntry]] = {}
    for entry in plan.cells.values():
        for key in _ranges(entry.images, entry.setup.unit_images):
            if not done or key not in done[entry.cell.id]:
                grouped.setdefault((entry.setup.name, key), []).append(entry)
    sources = list(dict.fromkeys(source_of(e.setup) for e in plan.entries))

    def order(item: tuple[tuple[str, UnitKey], list[PlanEntry]]) -> tuple[int, int, bool]:
        (_, key), (first, *_) = item
        source = sources.index(source_of(first.setup))
        return source, key.start // base.UNIT_IMAGES, first.setup.attack is not None

    for (_, key), entries in sorted(grouped.items(), key=order):
        yield Unit(entries[0].setup, key, tuple((e.subject, e.cell) for e in entries))


def source_of(setup: Setup) -> tuple[str, str, bool]:
    """Return the key of a condition's source; conditions of one source take the same images in the same order."""
    return setup.dataset, setup.part, bool(setup.probes)


def _ranges(count: int, size: int) -> list[UnitKey]:
    return [UnitKey(start, min(start + size, count)) for start in range(0, count, size)]
