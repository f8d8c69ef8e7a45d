"""`bench check`: measure models again, and compare them with accepted and with published numbers."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.engine.run import carry_out, prepare_run
from bench.errors import MissingError, UsageError
from bench.folder.reader import LoadedCell, ResultsFolder
from bench.folder.tables import results
from bench.gate.baseline import AcceptedCell, Baseline, RunSpec, accepted, write_baseline
from bench.gate.judgement import BAD, Evidence, GateFinding, Status, judge, paired_evidence
from bench.gate.reported import reported_evidence
from bench.gate.subjects import SELECTION, CheckedModel, accepted_names, input_of, new_measures, remaining, subject_of
from bench.options import RunOptions
from bench.published.shipped import in_checkout, shipped
from model_zoo.model import Model, fingerprint


@dataclass(frozen=True)
class Report:
    """All findings of one check."""

    findings: tuple[GateFinding, ...]

    def of(self, *status: Status) -> tuple[GateFinding, ...]:
        """Return the findings of some status."""
        return tuple(finding for finding in self.findings if finding.status in status)

    @property
    def regressed(self) -> tuple[GateFinding, ...]:
        """Findings that block a release."""
        return self.of(*BAD)


@dataclass(frozen=True)
class Measured:
    """One measure of one model: its cells by condition, and its rows of `results`."""

    cells: Mapping[str, LoadedCell]
    rows: pd.DataFrame


Runs = Mapping[tuple[str, str], Measured]
"""Runs by model and the measure's key."""


def check(
    models: Sequence[str | Model] = (),
    *,
    baseline: str | Path | None = None,
    hashes: bool = True,
    out: str | Path | None = None,
    data: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Report:
    """Measure `models` (default: all accepted ones) again and judge them.

    `hashes` also compares weights and input with the accepted ones. `out` keeps the measured records (default: a
    temporary folder); `data`, `device`, `batch_size` and `seed` are those of `bench.run`. Raises `UsageError` if there
    is nothing to compare with.
    """
    directory = Path(baseline or shipped("baseline"))
    subjects = [subject_of(model, directory, asked=bool(models)) for model in models or accepted_names(directory)]
    _require_something(subjects, directory)
    wanted = {s.name: [*s.measures(), *(c.measure for c in s.claims if c.measure)] for s in subjects}
    with _folder(out) as folder:
        where = RunOptions(out=folder, data=data, device=device, batch_size=batch_size, seed=seed, quiet=True)
        runs = _run(subjects, wanted, where)
    found = [item for subject in subjects for item in _evidence(subject, runs)]
    return Report(
        (
            *(finding for subject in subjects for finding in subject.findings),
            *(finding for subject in subjects if hashes for finding in subject.marks()),
            *judge([item for item in found if isinstance(item, Evidence)]),
            *(item for item in found if isinstance(item, GateFinding)),
        )
    )


def accept(
    models: Sequence[str | Model] = (),
    *,
    baseline: str | Path | None = None,
    suites: Sequence[str] = (),
    limit: int | None = None,
    out: str | Path | None = None,
    data: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> list[Path]:
    """Measure `models` (default: all accepted ones, or `SELECTION`) and accept the numbers; return the files.

    Without `suites` a model keeps its accepted suites, with another `limit` if one is given. Files of models that no
    longer exist are removed. Raises `MissingError` for a model that cannot be loaded.
    """
    directory = Path(baseline or shipped("baseline"))
    if baseline is None and not in_checkout():
        raise UsageError("--update writes numbers of your own: name their folder with --baseline DIR")
    subjects = [
        subject_of(model, directory, asked=bool(models)) for model in models or remaining(directory) or SELECTION
    ]
    if gone := [finding for s in subjects if s.model is None for finding in s.findings]:
        raise MissingError(f"{gone[0].model}: {gone[0].evidence}")
    wanted = {s.name: new_measures(s, suites, limit) for s in subjects}
    with _folder(out) as folder:
        where = RunOptions(out=folder, data=data, device=device, batch_size=batch_size, seed=seed, quiet=True)
        runs = _run(subjects, wanted, where)
    made = [_new_baseline(s.model, wanted[s.name], runs) for s in subjects if s.model]
    return [write_baseline(directory, item) for item in made]


def _require_something(subjects: Sequence[CheckedModel], directory: Path) -> None:
    if not subjects:
        raise UsageError(f"{directory}: nothing is accepted there; next: bench check --update")
    for subject in subjects:
        runnable = any(claim.measure for claim in subject.claims)
        if not (subject.findings or (subject.baseline and subject.baseline.measures) or runnable):
            raise UsageError(
                f"{subject.name}: nothing is accepted in {directory}, and none of its authors' numbers "
                f"can be measured; {subject.next}"
            )


def _run(subjects: Sequence[CheckedModel], wanted: Mapping[str, Sequence[RunSpec]], where: RunOptions) -> Runs:
    """Return every measure once, with all of its models together, so that they share the images."""
    asked = {measure.key: measure for measures in wanted.values() for measure in measures}
    runs: dict[tuple[str, str], Measured] = {}
    for key, measure in asked.items():
        sharing = [s.model for s in subjects if s.model and key in {m.key for m in wanted[s.name]}]
        prepared = prepare_run(sharing, measure.suite, RunOptions.of({**measure.options, **where.changed()}))
        carry_out(prepared)
        stored, plan = ResultsFolder(where.out), prepared.plan
        for index, model in enumerate(sharing):
            ids = {e.setup.name: e.cell.id for e in plan.entries if e.subject == index}
            cells = {name: stored.load(cell_id) for name, cell_id in ids.items()}
            mine = results(where.out, asked={(measure.suite, frozenset(ids.values()))})
            runs[model.name, key] = Measured(cells, mine.assign(model=model.name))
    return runs


def _evidence(subject: CheckedModel, runs: Runs) -> Iterator[Evidence | GateFinding]:
    """Return each accepted number with the one measured now, what was measured and never accepted, then each claim of
    the authors."""
    mine = {key: run for (model, key), run in runs.items() if model == subject.name}
    if subject.baseline:
        yield from _against_baseline(subject, subject.baseline, mine)
    yield from reported_evidence(subject.name, subject.claims, {key: run.rows for key, run in mine.items()})


def _against_baseline(
    subject: CheckedModel, baseline: Baseline, mine: Mapping[str, Measured]
) -> Iterator[Evidence | GateFinding]:
    keys = {measure.suite: measure.key for measure in baseline.measures}
    for cell in baseline.cells:
        if cell.suite not in keys:
            why = f"no measure of the suite {cell.suite} is accepted with it; {subject.next}"
            yield GateFinding(subject.name, cell.protocol.condition, "baseline", Status.UNCHECKED, why)
        elif keys[cell.suite] in mine:
            yield _held(subject, cell, mine[keys[cell.suite]].cells)
    held = {(cell.suite, cell.protocol.condition) for cell in baseline.cells}
    for suite, key in keys.items():
        for condition in mine[key].cells if key in mine else ():
            if (suite, condition) not in held:
                why = f"measured, and no number of it is accepted; {subject.next}"
                yield GateFinding(subject.name, f"{suite} {condition}", "baseline", Status.UNCHECKED, why)


def _held(subject: CheckedModel, cell: AcceptedCell, now: Mapping[str, LoadedCell]) -> Evidence | GateFinding:
    condition = cell.protocol.condition
    if condition in now:
        return paired_evidence(subject.name, cell, now[condition])
    why = f"the suite {cell.suite} no longer measures it; {subject.next}"
    return GateFinding(subject.name, condition, "baseline", Status.UNCHECKED, why)


def _new_baseline(model: Model, measures: Sequence[RunSpec], runs: Runs) -> Baseline:
    cells = [
        accepted(measure.suite, loaded.cell, loaded.records)
        for measure in measures
        for loaded in runs[model.name, measure.key].cells.values()
    ]
    return Baseline(model.name, fingerprint(model), input_of(model), tuple(measures), tuple(cells))


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """The folder of the measured records: the user's, or a temporary one."""
    if out:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="bench-check-") as temporary:
        yield Path(temporary)
