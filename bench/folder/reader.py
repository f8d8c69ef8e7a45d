"""Reader of a results folder: its runs, their cells, and the records, each part verified."""

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.errors import NoResultsError, StoreError
from bench.folder.units import read_units, to_frame
from bench.known_models import ModelKey, labels, read_known_models
from bench.manifest import RunEntry, RunManifest, RunModel, read_manifest
from bench.metrics.accuracy import outcomes
from bench.metrics.selection import rule_of
from bench.metrics.told import Seen, TellRule, is_enough
from bench.options import RunOptions
from bench.parts import BadPart, CellFiles, read_cell, read_part
from bench.record import RECORD_SCHEMA, Cell
from bench.sample import Sample, sample_of, unlike
from bench.store import RELIABILITY, NoObjectError, Store
from bench.verdict import Verdict, read_verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LoadedCell:
    """A cell with its records as an Arrow `table`, and the measurements of its units (one table per unit, if any).
    `problems` lists what is missing or damaged; empty if the cell is complete."""

    cell: Cell
    table: pa.Table
    problems: tuple[str, ...]
    reliability: Verdict = field(default_factory=Verdict)
    measurements: tuple[pa.Table, ...] = ()
    sample: Sample = field(default_factory=dict)

    @functools.cached_property
    def records(self) -> "pd.DataFrame":
        """The records as a frame; without a column if there are none."""
        return to_frame(self.table) if len(self.table) else to_frame(pa.table({}))

    @property
    def complete(self) -> bool:
        """Whether every image of the data set has its record."""
        return not self.problems


@dataclass(frozen=True)
class SuiteRun:
    """One model in one suite of a run: its condition names and cells, and the model.

    `model` is its label in the folder, `name` its own name. `version` is the suite's when the run was made, 0 in runs
    of older versions; `given` is the request, None if this version does not have its options.
    """

    suite: str
    model: str
    about: RunModel
    cells: dict[str, str]
    run: str
    version: int = 0
    given: RunOptions | None = None
    name: str = ""

    def remarks(self) -> list[str]:
        """Return what its name does not say: that its weights are not those of the card of its name, or that nothing
        verifies them."""
        if self.about.unverified:
            return [unverified_line([self.model])]
        if not self.about.other_weights:
            return []
        file = self.given.weights if self.given else None
        used = PurePath(file).name if file else "weights changed since they were loaded"
        return [f"other weights: {self.model} was measured with {used}, not with its card's weights"]


def unverified_line(models: Collection[str]) -> str:
    """Return what is said of models whose weights were taken for those of their cards without a published hash."""
    named = ", ".join(sorted(models))
    return f"no published hash verifies these weights, so card and claims are theirs only if the file is: {named}"


class ResultsFolder:
    """Reads lazily: first descriptions, then the records of a cell on demand."""

    def __init__(self, address: str | Path) -> None:
        self.store = Store(address)
        self.problems: list[str] = []
        self._drawn: dict[str, tuple[str, Sample]] = {}
        self.cells = dict(self._described())
        if self.problems and not self.cells:
            raise StoreError(self.problems[0])
        self.labels = labels(map(self._key, self.cells.values()), read_known_models(self.store))
        if not self.cells:
            raise NoResultsError(
                f"{address}: no results here (expected cells/ and runs/); "
                f"`bench run --model MODEL --suite SUITE --out {address}` makes some"
            )

    def _described(self) -> Iterator[tuple[str, Cell]]:
        """Return every cell with a readable description."""
        for cell_id in self.store.names("cells"):
            try:
                yield cell_id, read_cell(self.store, cell_id)
            except NoObjectError:
                continue
            except StoreError as error:
                self.problems.append(str(error))

    @functools.cached_property
    def manifests(self) -> dict[str, RunManifest]:
        """Return the request of every run, by its id. Raises `StoreError` if none can be read."""
        found, problems = {}, []
        for run in self.run_names:
            try:
                found[run] = read_manifest(self.store, run)
            except StoreError as error:
                problems.append(str(error))
        if problems and not found:
            raise StoreError(problems[0])
        self.problems += problems
        return found

    @functools.cached_property
    def _several_seeds(self) -> set[tuple[str, str]]:
        """Return models, by name and fingerprint, that were measured with several seeds."""
        seeds: dict[tuple[str, str, str], set[int]] = {}
        for cell in self.cells.values():
            seeds.setdefault((cell.model, cell.fingerprint, cell.protocol.hash), set()).add(cell.seed)
        return {key[:2] for key, found in seeds.items() if len(found) > 1}

    def _key(self, cell: Cell) -> ModelKey:
        several = (cell.model, cell.fingerprint) in self._several_seeds
        return ModelKey(cell.model, cell.fingerprint, cell.seed if several else None)

    def label(self, cell: Cell) -> str:
        """Return the label of a cell's model in this folder: its name, and what distinguishes it from others of that
        name."""
        return self.labels[self._key(cell)]

    @property
    def run_names(self) -> list[str]:
        """Return the ids of the runs with a description; an interrupted copy may have left others."""
        return [run for run in self.store.names("runs") if "run.json" in self.store.names(f"runs/{run}")]

    def load(self, cell_id: str) -> LoadedCell:
        """Return the records of one cell in the data set's order, and what is missing or damaged."""
        cell = self.cells[cell_id]
        files = CellFiles.of(self.store, cell_id)
        units = read_units(self.store, cell_id, files)
        tables, problems = units.tables, units.problems
        records = _joined(tables)
        sample = sample_of(tables[0].schema) if tables else {}
        problems += [*self._unread(cell_id, files), *_unlike_sets(tables)]
        if not problems and "content" in records.column_names:
            cell = _with_content(cell, records, tables[0].num_rows, sample)
            self.cells[cell_id] = cell
            if records.column("content").null_count == len(records):  # nothing but generated images
                problems += self._drawn_unlike(cell_id, cell, sample)
        if len(records) < cell.protocol.images and not self._stopped(cell_id, units.outcomes):
            problems.append(f"{len(records)} of {cell.protocol.images} images of {cell.protocol.condition} measured")
        verdict = Verdict()
        if RELIABILITY in files.names:
            try:
                verdict = read_verdict(self.store, cell_id)
            except StoreError as error:
                problems.append(str(error))
        return LoadedCell(cell, records, tuple(problems), verdict, tuple(units.measured), sample)

    def _drawn_unlike(self, cell_id: str, cell: Cell, sample: Sample) -> Iterator[str]:
        """Return the problem of a generated set that was drawn differently for another cell with the same listing."""
        other, known = self._drawn.setdefault(cell.protocol.manifest, (cell_id, sample))
        if image := unlike(known, sample):
            yield (
                f"{cell.protocol.dataset} was drawn otherwise than for cells/{other}, {image} for one: with other "
                "versions of Python's packages or on another kind of machine; measure one of them again"
            )

    def _stopped(self, cell_id: str, seen: Seen) -> bool:
        """Return whether the cell's rule is met by these outcomes."""
        cell = self.cells[cell_id]
        rule = rule_of(cell.subset)
        other = self.partner(cell_id) if isinstance(rule, TellRule) else None
        return is_enough(rule, seen, self._outcomes(other) if other else {}, cell.protocol.images)

    def partner(self, cell_id: str) -> str | None:
        """Return the partner cell of a run that compares two models; None if there is none."""
        plans = (manifest.entries for manifest in self.manifests.values())
        return partner_of(cell_id, plans, self.cells)

    def _outcomes(self, cell_id: str) -> Seen:
        """Return the outcomes of a cell's undamaged units."""
        parts = CellFiles.of(self.store, cell_id).parts
        read = {unit.start: read_part(self.store, cell_id, name) for unit, name in parts.items()}
        return {start: outcomes(part) for start, part in read.items() if not isinstance(part, BadPart)}

    def _unread(self, cell_id: str, files: CellFiles) -> Iterator[str]:
        """Return the problem of images that could not be read for a temporary reason."""
        for unit, name in files.incomplete.items():
            part = read_part(self.store, cell_id, name)
            if isinstance(part, BadPart):
                continue
            reasons = [reason for reason in part.column("reason").to_pylist() if reason]
            yield (
                f"{len(reasons)} of the images [{unit.start}, {unit.stop}) could not be read, perhaps temporarily: "
                f"{reasons[0] if reasons else ''}"
            )

    def suite_runs(self) -> Iterator[SuiteRun]:
        """Return every (suite, model) requested by a run of this folder, each set of cells once."""
        seen = set()
        for run, manifest in self.manifests.items():
            for (suite, model), cells in _by_suite(manifest.entries).items():
                version = manifest.suites.get(suite, 0)
                about = manifest.models[model]
                there = next((self.cells[cell] for cell in cells.values() if cell in self.cells), None)
                label = self.label(there) if there else about.name or model
                key = (suite, version, label, tuple(sorted(cells.values())))
                if key not in seen:
                    seen.add(key)
                    given = manifest.options
                    yield SuiteRun(suite, label, about, cells, run, version, given, about.name or model)


def partner_of(cell_id: str, plans: Iterable[Iterable[RunEntry]], cells: Mapping[str, Cell]) -> str | None:
    """Return the partner of this cell in one of the `plans`; None if there is none."""
    mine = cells[cell_id]
    for entries in plans:
        planned = {entry.cell for entry in entries}
        for other in sorted(planned - {cell_id}) if cell_id in planned else ():
            found = cells.get(other)
            if found and (found.subset, found.protocol.condition) == (mine.subset, mine.protocol.condition):
                return other
    return None


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the records of all units as one table."""
    if not tables:
        return RECORD_SCHEMA.empty_table()
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks()


def _with_content(cell: Cell, records: pa.Table, first: int, sample: Sample) -> Cell:
    """Return the cell with its images' content in its protocol: all, or the `first` and the sample if a rule may
    stop before the rest."""
    rule = rule_of(cell.subset)
    if rule is None and len(records) < cell.protocol.images:
        return cell
    column = records.column("content")
    contents = [None] if column.null_count == len(column) else column.to_pylist()  # of generated images nothing is told
    told = [*contents[:first], *sorted(sample.values())] if rule and any(contents) else contents
    protocol = cell.protocol.with_content(told)
    return cell if protocol is cell.protocol else replace(cell, protocol=protocol)


def _unlike_sets(parts: Sequence[pa.Table]) -> Iterator[str]:
    """Return the problem of a share of another set than the first: shards measured on different images of one
    listing."""
    for part in parts[1:]:
        if image := unlike(sample_of(parts[0].schema), sample_of(part.schema)):
            first, other = parts[0].column("image_id")[0], part.column("image_id")[0]
            yield (
                f"its parts are of unlike sets: {image} was another image when {other} was measured than with {first}"
            )
            return


def _by_suite(entries: Iterable[RunEntry]) -> dict[tuple[str, str], dict[str, str]]:
    grouped: dict[tuple[str, str], dict[str, str]] = {}
    for entry in entries:
        grouped.setdefault((entry.suite, entry.model), {})[entry.condition] = entry.cell
    return grouped
