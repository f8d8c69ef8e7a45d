"""One unit of work: images in, one table of records out for every model. Every executor uses this function."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import torch

from bench.datasets.base import Dataset
from bench.engine.batches import Batch, batches
from bench.engine.measure import NOTES, Columns, added_columns, look, measure
from bench.engine.part import Fault, Part
from bench.engine.pictures import Unread
from bench.engine.plan import Unit
from bench.engine.session import Session, Subject, Subjects, state_of
from bench.errors import DataError
from bench.record import STATE, RecordColumns
from bench.suites.base import Setup


def execute(session: Session, subjects: Subjects, unit: Unit, then: Unit | None = None) -> list[Part | Fault]:
    """Return the records of `unit`, one part per model in order, or the fault of the model. Halves the batch when
    memory runs out. The images of `then`, the unit that will follow, are decoded meanwhile. Raises `DataError` for
    untrusted data."""
    while True:
        try:
            return _execute(session, subjects, unit, then)
        except torch.OutOfMemoryError:
            if session.batch_size == 1:
                raise
            session.batch_size //= 2
            torch.cuda.empty_cache()


def _execute(session: Session, subjects: Subjects, unit: Unit, then: Unit | None) -> list[Part | Fault]:
    dataset = session.dataset_of(unit.setup)
    takes = [_Take(session, subjects[index], unit.setup, dataset) for index, _ in unit.cells]
    for batch in batches(session, subjects, unit, then):
        for take in takes:
            take.add(batch)
        if all(take.fault for take in takes):
            break
    about = {STATE: state_of(dataset, range(unit.key.start, unit.key.stop)), **session.sample(dataset)}
    return [take.fault or take.part(about) for take in takes]


class _Take:
    """One model's share of a unit in progress; a fault of the model affects only its share."""

    def __init__(self, session: Session, subject: Subject, setup: Setup, dataset: Dataset) -> None:
        self.session, self.subject, self.setup = session, subject, setup
        self.added = added_columns(setup, dataset, subject.model.card)
        self.tables: list[pa.Table] = []
        self.measurement: pa.Table | None = None
        self.notes: list[str] = []
        self.passing: list[str] = []
        self.fault: Fault | None = None

    def add(self, batch: Batch) -> None:
        """Measure a batch. Raises `torch.OutOfMemoryError` if a smaller one may fit, and `DataError`."""
        if self.fault:
            return
        try:
            measured = self._measure(batch) if batch.readable else {}
        except DataError:
            raise
        except torch.OutOfMemoryError as error:
            if self.session.batch_size > 1:
                raise
            self.fault = Fault.of(error)
        except (Exception, SystemExit) as error:
            self.fault = Fault.of(error)
        else:
            self.notes += measured.pop(NOTES, ())
            self.passing += batch.passing
            self.tables.append(_table(batch, measured, self.added))

    def _measure(self, batch: Batch) -> Columns:
        if not self.setup.probes:
            return measure(self.session, self.subject, self.setup, batch)
        measured, self.measurement = look(self.session, self.subject, self.setup, batch)
        return measured

    def part(self, about: Mapping[str, str]) -> Part:
        """Return the result of all batches; `about` names the files and the set."""
        records = pa.concat_tables(self.tables).combine_chunks()
        notes = tuple(dict.fromkeys(self.notes))
        told = {**about, NOTES: json.dumps(notes) if notes else ""}
        said = {key: value for key, value in told.items() if value}
        return Part(records.replace_schema_metadata(said or None), self.measurement, notes, tuple(self.passing))


def _table(batch: Batch, measured: Columns, added: Sequence[str]) -> pa.Table:
    """Return the batch's records: measured values at their rows, nulls and the reason elsewhere."""
    place = {index: i for i, index in enumerate(batch.readable)}

    def column(name: str) -> list[Any]:
        values = measured.get(name)
        return [values[place[i]] if values is not None and i in place else None for i in batch.indices]

    found = column("reason")
    unread = [content.reason if isinstance(content, Unread) else None for content in batch.contents]
    contents = [None if isinstance(content, Unread) else content for content in batch.contents]
    return RecordColumns(
        image_id=[batch.dataset.ids[i] for i in batch.indices],
        label=[batch.dataset.targets[i] for i in batch.indices],
        prediction=column("prediction"),
        confidence=column("confidence"),
        margin=column("margin"),
        reason=[why or unscored for why, unscored in zip(unread, found, strict=True)],
        extra={"content": contents, **{name: column(name) for name in added}},
    ).table()
