"""One unit of work: pictures in, one table of records out for every model. Every executor calls this alone."""

import functools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.attacks.forward import answer
from bench.corruptions import image_keys
from bench.datasets.base import Dataset, Picture
from bench.datasets.labels import label_space
from bench.datasets.preprocess import crop_224, fit, prepare
from bench.diagnostics.perturb import perturb
from bench.diagnostics.probe import Sight
from bench.engine.plan import Unit
from bench.engine.session import Session, Shown, Subject, Subjects, View
from bench.errors import DataError
from bench.record import ATTACK_FIELDS, SPACE_FIELDS, RecordColumns
from bench.suites.base import Setup
from model_zoo.card import InputSpec, ModelCard

READ_SECONDS = 300.0
"""What one picture may take to be read before its disk is taken to hang."""

NOTES = "notes"
"""Beside the columns, what must be known of all of them; no column itself."""

Columns = dict[str, Sequence[Any]]
"""What was measured of the readable images of a batch, by record column."""


@dataclass(frozen=True)
class Part:
    """What one model's unit leaves: a record an image, and what was measured of the unit as a whole, if anything.

    notes: what a reader of the numbers must know; they lie in the records' metadata, too.
    """

    records: pa.Table
    measurement: pa.Table | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Images `indices` of a set: why some could not be read, and the others shown to each model's input."""

    indices: list[int]
    reasons: list[str | None]
    pictures: dict[InputSpec, NDArray[np.uint8]]

    @property
    def readable(self) -> list[int]:
        """The indices that have a picture."""
        return [i for i, reason in zip(self.indices, self.reasons, strict=True) if reason is None]


def execute(session: Session, subjects: Subjects, unit: Unit) -> list[Part]:
    """The records of `unit`, a part for each of its models in order. Halves the batch when memory runs out."""
    while True:
        try:
            return _execute(session, [subjects[index] for index, _ in unit.cells], unit)
        except torch.OutOfMemoryError:
            if session.batch_size == 1:
                raise
            session.batch_size //= 2
            torch.cuda.empty_cache()


def _execute(session: Session, subjects: Sequence[Subject], unit: Unit) -> list[Part]:
    dataset, condition = session.dataset_of(unit.condition), unit.condition
    tables: list[list[pa.Table]] = [[] for _ in subjects]
    seen: list[pa.Table | None] = [None for _ in subjects]
    notes: list[list[str]] = [[] for _ in subjects]
    for batch in _batches(session, dataset, unit, [s.spec for s in subjects]):
        for index, subject in enumerate(subjects):
            measured: Columns = {}
            if batch.readable and condition.probes:
                measured, seen[index] = _look(session, subject, condition, dataset, batch)
            elif batch.readable:
                measured = _measure(session, subject, condition, dataset, batch)
                notes[index] += measured.pop(NOTES, ())
            added = _added(condition, dataset, subject.model.card)
            tables[index].append(_table(dataset, batch, measured, added))
    records = [pa.concat_tables(parts).combine_chunks() for parts in tables]
    return [_part(*part) for part in zip(records, seen, notes, strict=True)]


def _part(records: pa.Table, measurement: pa.Table | None, notes: list[str]) -> Part:
    once = tuple(dict.fromkeys(notes))
    return Part(records.replace_schema_metadata({NOTES: json.dumps(once)}) if once else records, measurement, once)


def _batches(session: Session, dataset: Dataset, unit: Unit, specs: Sequence[InputSpec]) -> Iterator[Batch]:
    """The unit's images in batches (attacks and probes take the unit whole: they make batches of their own)."""
    condition, key = unit.condition, unit.key
    size = key.stop - key.start if condition.attack or condition.probes else session.batch_size
    views: list[View] = [None] if condition.corruption else list(dict.fromkeys(specs))
    shown = _read_ahead(session, dataset, range(key.start, key.stop), views)
    indices = iter(range(key.start, key.stop))
    while chunk := list(islice(indices, size)):
        yield _batch(session, dataset, condition, chunk, list(islice(shown, len(chunk))), specs)


def read_sample(session: Session, dataset: Dataset, condition: Setup, indices: list[int], spec: InputSpec) -> Batch:
    """Images `indices` of `dataset` as `condition` shows them to a model's input."""
    views: list[View] = [None] if condition.corruption else [spec]
    shown = list(_read_ahead(session, dataset, indices, views))
    return _batch(session, dataset, condition, indices, shown, [spec])


def _read_ahead(session: Session, dataset: Dataset, indices: Iterable[int], views: list[View]) -> Iterator[Shown]:
    """Images in order, decoded by the pool a bounded number ahead; what is decoded stays in the cache."""

    def make(image: Image.Image, view: View) -> Picture:
        if view is None:
            return np.asarray(image) if dataset.as_stored else crop_224(image)
        return fit(np.asarray(image), view) if dataset.as_stored else prepare(image, view)

    waiting: deque[tuple[int, Future[Shown]]] = deque()

    def finish() -> Shown:
        index, future = waiting.popleft()
        try:
            shown = future.result(None if future.done() else READ_SECONDS)
        except TimeoutError:
            if future.done():
                raise
            raise DataError(
                f"{dataset.name}: picture {dataset.ids[index]} was not read within {READ_SECONDS:.0f} s: the disk or "
                "network behind --data hangs; finished units are kept, the same command continues"
            ) from None
        session.cache.put((dataset.manifest, index), shown)
        return shown

    for index in indices:
        show = functools.partial(session.show, dataset, index, views, make)
        waiting.append((index, session.pool.submit(show)))
        if len(waiting) > 2 * session.batch_size:
            yield finish()
    while waiting:
        yield finish()


def _batch(
    session: Session,
    dataset: Dataset,
    condition: Setup,
    indices: list[int],
    shown: list[Shown],
    specs: Sequence[InputSpec],
) -> Batch:
    reasons = [s if isinstance(s, str) else None for s in shown]
    good = [s for s in shown if not isinstance(s, str)]
    if not good:
        return Batch(indices, reasons, {})
    if condition.corruption is None:
        return Batch(indices, reasons, {spec: np.stack([s[spec] for s in good]) for spec in specs})
    ids = [dataset.ids[i] for i, reason in zip(indices, reasons, strict=True) if reason is None]
    keys = image_keys(session.seed, ids, condition.name)
    corrupted = condition.corruption(np.stack([s[None] for s in good]), keys)
    return Batch(indices, reasons, {spec: np.stack([fit(p, spec) for p in corrupted]) for spec in specs})


def _measure(session: Session, subject: Subject, condition: Setup, dataset: Dataset, batch: Batch) -> Columns:
    model = subject.model.to(session.device)
    labels = torch.tensor([dataset.targets[i] for i in batch.readable])
    images = to_images(batch.pictures[subject.spec])
    if condition.attack is None:
        logits = answer(model, images.to(session.device, non_blocking=True)).float().cpu()
        space = label_space(dataset.labels)
        everywhere = {"prediction_all": logits.argmax(dim=1).tolist()} if space.members else {}
        return score(space.answer(logits), labels) | everywhere
    ids = [dataset.ids[i] for i in batch.readable]
    outcome = condition.attack.run(model, images, labels, ids, seed=session.seed, batch_size=session.batch_size)
    return {
        "prediction": outcome.prediction.tolist(),
        "confidence": outcome.confidence.tolist(),
        "margin": outcome.margin.tolist(),
        "broken_by": outcome.broken_by,
        "steps": outcome.steps.tolist(),
        "distance": outcome.distance.tolist(),
        NOTES: outcome.notes,
    }


def _look(
    session: Session, subject: Subject, condition: Setup, dataset: Dataset, batch: Batch
) -> tuple[Columns, pa.Table | None]:
    """What the condition's probes see of a unit. The images are attacked to the end, and then the model is judged."""
    sight = _sight(session, subject, condition, dataset, batch)
    space = label_space(dataset.labels)
    logits = sight.logits(subject.model)
    columns = score(space.answer(logits), sight.labels)
    columns |= {"prediction_all": logits.argmax(dim=1).tolist()} if space.members else {}
    measurement = None
    for probe in condition.probes:
        found = probe.look(sight)
        columns |= found.columns
        measurement = measurement if found.measurement is None else found.measurement
    return columns, measurement


def _sight(session: Session, subject: Subject, condition: Setup, dataset: Dataset, batch: Batch) -> Sight:
    model = subject.model.to(session.device)
    labels = torch.tensor([dataset.targets[i] for i in batch.readable])
    ids = [dataset.ids[i] for i in batch.readable]
    images = to_images(batch.pictures[subject.spec])
    if condition.attack:
        images = perturb(
            condition.attack,
            model,
            images,
            labels,
            ids,
            device=session.device,
            seed=session.seed,
            batch_size=session.batch_size,
        )

    def sample(count: int) -> Tensor:
        plain = Setup(condition.dataset, condition.split, condition.files)
        chosen = list(range(min(count, len(dataset))))
        return to_images(read_sample(session, dataset, plain, chosen, subject.spec).pictures[subject.spec])

    def keep(key: str, make: Callable[[], Any]) -> Any:
        return session.keep(f"{subject.fingerprint} {subject.model.name} {dataset.manifest} {key}", make)

    answer = label_space(dataset.labels).answer
    return Sight(model, images, labels, ids, session.device, session.batch_size, session.seed, answer, sample, keep)


def to_images(pictures: NDArray[np.uint8]) -> Tensor:
    """uint8 [n, h, w, 3] -> float32 [n, 3, h, w] in [0, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)


def score(logits: Tensor, labels: Tensor) -> Columns:
    """Prediction, its softmax probability, and the label's margin, of logits [n, k]; not scored where not finite."""
    rows = torch.arange(len(labels))
    prediction = logits.argmax(dim=1)
    others = logits.clone()
    others[rows, labels] = -torch.inf
    finite = logits.isfinite().all(dim=1).tolist()
    return {
        "prediction": prediction.tolist(),
        "confidence": logits.softmax(dim=1)[rows, prediction].tolist(),
        "margin": (logits[rows, labels] - others.amax(dim=1)).tolist(),
        "reason": [None if ok else "the model's logits are not finite" for ok in finite],
    }


def _added(condition: Setup, dataset: Dataset, card: ModelCard) -> list[str]:
    """Names of the columns that the condition adds, whether or not a batch has a readable image."""
    attack = [field.name for field in ATTACK_FIELDS] if condition.attack and not condition.probes else []
    space = [field.name for field in SPACE_FIELDS] if label_space(dataset.labels).members else []
    return attack + space + [name for probe in condition.probes for name in probe.columns(card)]


def _table(dataset: Dataset, batch: Batch, measured: Columns, added: Sequence[str]) -> pa.Table:
    """The batch's records: what was measured in its place, nulls and the reason elsewhere."""
    place = {index: i for i, index in enumerate(batch.readable)}

    def column(name: str) -> list[Any]:
        values = measured.get(name)
        return [values[place[i]] if values is not None and i in place else None for i in batch.indices]

    found = column("reason")
    return RecordColumns(
        image_id=[dataset.ids[i] for i in batch.indices],
        label=[dataset.targets[i] for i in batch.indices],
        prediction=column("prediction"),
        confidence=column("confidence"),
        margin=column("margin"),
        reason=[unread or unscored for unread, unscored in zip(batch.reasons, found, strict=True)],
        extra={name: column(name) for name in added},
    ).table()
