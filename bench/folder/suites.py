"""The suites of a results folder: each model's complete cells, and what is missing."""

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bench.folder.reader import LoadedCell, ResultsFolder, SuiteRun
from bench.metrics.base import Frames, SuiteFrames
from bench.metrics.selection import rule_of
from bench.record import Protocol, digest
from bench.sample import unlike

SuiteCells = tuple[str, frozenset[str]]
"""A suite with all cells of one model in it: another run may have asked the same suite for some of them."""


@dataclass(frozen=True)
class LoadedSuite:
    """One model in one suite of a run, with the complete cells, and what is missing."""

    wanted: SuiteRun
    cells: Mapping[str, LoadedCell]
    lacking: tuple[str, ...]

    @functools.cached_property
    def frames(self) -> Frames:
        """Return the records by condition, for metrics."""
        tables = {name: cell.table for name, cell in self.cells.items()}
        return SuiteFrames(tables, lambda name: self.cells[name].records)

    @functools.cached_property
    def protocol(self) -> str:
        """Return the hash of a metric over all conditions."""
        return suite_protocol([cell.cell.protocol for cell in self.cells.values()])


def load_suites(folder: ResultsFolder, asked: Collection[SuiteCells] | None = None) -> Iterator[LoadedSuite]:
    """Return every (suite, model) of the folder, one after the other, so that memory holds the records of one; of
    `asked` suites those alone."""
    for wanted in folder.suite_runs():
        if asked is not None and (wanted.suite, frozenset(wanted.cells.values())) not in asked:
            continue
        loaded = {name: folder.load(cell_id) for name, cell_id in wanted.cells.items() if cell_id in folder.cells}
        lacking = [p for cell in loaded.values() for p in cell.problems]
        lacking += [f"{name}: never begun" for name in sorted(wanted.cells.keys() - loaded.keys())]
        others = _of_others(loaded)
        lacking += [*_unlike_pictures(loaded), *others.values()]
        yield LoadedSuite(
            wanted, {name: c for name, c in loaded.items() if c.complete and name not in others}, tuple(lacking)
        )


def _of_others(cells: Mapping[str, LoadedCell]) -> dict[str, str]:
    """Return conditions whose cells are not what the run's plan says, as after an edit of it by hand: of another
    condition, or of another model than the first."""
    found: dict[str, str] = {}
    models = [(loaded.cell.model, loaded.cell.fingerprint, loaded.cell.seed) for loaded in cells.values()]
    for (name, loaded), model in zip(cells.items(), models, strict=True):
        if (other := loaded.cell.protocol.condition) != name:
            found[name] = f"{name}: its records are of {other}: run.json was altered; restore it, or repeat the run"
        elif model != models[0]:
            found[name] = (
                f"{name}: its records are of {model[0]}, seed {model[2]}, the other conditions' of another model"
            )
    return found


def _unlike_pictures(cells: Mapping[str, LoadedCell]) -> Iterator[str]:
    """Return conditions of one listing that were measured on different images, so that they give no number."""
    first: dict[tuple[str, str], tuple[str, LoadedCell]] = {}
    for name, cell in cells.items():
        other, known = first.setdefault(cell.cell.protocol.listing, (name, cell))
        both = (known.cell, cell.cell)
        stopped = any(rule_of(each.subset) for each in both)
        contents = {each.protocol.content for each in both if each.protocol.content and not stopped}
        if unlike(known.sample, cell.sample) or len(contents) > 1:
            yield f"{name} was measured on other images than {other}, under the same names; measure one of them again"


def suite_protocol(protocols: Collection[Protocol]) -> str:
    """One hash for a metric over several conditions."""
    hashes = sorted(p.hash for p in protocols)
    return hashes[0] if len(hashes) == 1 else digest(hashes, 12)
