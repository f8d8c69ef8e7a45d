"""One unit of work: pictures in, one table of records out for every model. Every executor calls this alone."""

import functools
import json
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
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
from bench.engine.keeping import keep_pictures
from bench.engine.pictures import Unread, View, Viewed, ViewedOrUnread
from bench.engine.plan import Unit
from bench.engine.session import Session, Subject, Subjects, state_of
from bench.errors import BenchError, DataError
from bench.record import ATTACK_FIELDS, RANK_FIELDS, SPACE_FIELDS, STATE, RecordColumns
from bench.suites.base import Setup
from model_zoo.card import InputSpec, ModelCard
from model_zoo.errors import ZooError

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
    passing: why images could not be read, where that can pass: then the unit is to be done again.
    """

    records: pa.Table
    measurement: pa.Table | None = None
    notes: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """Why one model has no part of a unit; `final` where another attempt would say the same."""

    reason: str
    final: bool

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """What an error says, and where it was raised: `ValueError: no such layer (net.py:12)`."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        said = isinstance(error, (BenchError, ZooError))
        reason = str(error) if said else f"{type(error).__name__}: {error}{where}"
        return cls(reason, said or isinstance(error, SystemExit))


@dataclass(frozen=True)
class Batch:
    """Images `indices` of a set: the hash of each one's content, or why it could not be read, and those that could
    shown to each model's input."""

    indices: list[int]
    contents: list[str | Unread | None]
    pictures: dict[InputSpec, NDArray[np.uint8]]

    @property
    def readable(self) -> list[int]:
        """The indices that have a picture."""
        return [i for i, content in zip(self.indices, self.contents, strict=True) if not isinstance(content, Unread)]

    @property
    def passing(self) -> list[str]:
        """Why images could not be read, where that can pass."""
        return [content.reason for content in self.contents if isinstance(content, Unread) and content.passing]


def execute(session: Session, subjects: Subjects, unit: Unit) -> list[Part | Fault]:
    """The records of `unit`, a part for each of its models in order, or what is wrong with the model.

    Halves the batch when memory runs out. Raises `DataError` where the data cannot be trusted.
    """
    while True:
        try:
            return _execute(session, [subjects[index] for index, _ in unit.cells], unit)
        except torch.OutOfMemoryError:
            if session.batch_size == 1:
                raise
            session.batch_size //= 2
            torch.cuda.empty_cache()


def _execute(session: Session, subjects: Sequence[Subject], unit: Unit) -> list[Part | Fault]:
    dataset = session.dataset_of(unit.condition)
    takes = [_Take(session, subject, unit.condition, dataset) for subject in subjects]
    for batch in _batches(session, dataset, unit, [s.spec for s in subjects]):
        for take in takes:
            take.add(batch)
        if all(take.fault for take in takes):
            break
    state = state_of(dataset, range(unit.key.start, unit.key.stop))
    return [take.fault or take.part(state) for take in takes]


class _Take:
    """One model's share of a unit, in the making. What goes wrong with the model stays its own."""

    def __init__(self, session: Session, subject: Subject, condition: Setup, dataset: Dataset) -> None:
        self.session, self.subject, self.condition, self.dataset = session, subject, condition, dataset
        self.added = _added(condition, dataset, subject.model.card)
        self.tables: list[pa.Table] = []
        self.measurement: pa.Table | None = None
        self.notes: list[str] = []
        self.passing: list[str] = []
        self.fault: Fault | None = None

    def add(self, batch: Batch) -> None:
        """Measure a batch. Raises `torch.OutOfMemoryError` where a smaller one may fit, and `DataError`."""
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
            self.tables.append(_table(self.dataset, batch, measured, self.added))

    def _measure(self, batch: Batch) -> Columns:
        if not self.condition.probes:
            return _measure(self.session, self.subject, self.condition, self.dataset, batch)
        measured, self.measurement = _look(self.session, self.subject, self.condition, self.dataset, batch)
        return measured

    def part(self, state: str) -> Part:
        """What all batches gave; `state` is that of the pictures' files."""
        records = pa.concat_tables(self.tables).combine_chunks()
        notes = tuple(dict.fromkeys(self.notes))
        about = ({NOTES: json.dumps(notes)} if notes else {}) | ({STATE: state} if state else {})
        return Part(records.replace_schema_metadata(about or None), self.measurement, notes, tuple(self.passing))


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


def _read_ahead(
    session: Session, dataset: Dataset, indices: Iterable[int], views: list[View]
) -> Iterator[ViewedOrUnread]:
    """Images in order, decoded by the pool a bounded number ahead; what is decoded stays in the cache."""

    def make(image: Image.Image, view: View) -> Picture:
        if view is None:
            return np.asarray(image) if dataset.as_stored else crop_224(image)
        return fit(np.asarray(image), view) if dataset.as_stored else prepare(image, view)

    waiting: deque[tuple[int, Future[ViewedOrUnread]]] = deque()

    def finish() -> ViewedOrUnread:
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
        if isinstance(shown, Viewed):
            session.cache.put((dataset.manifest, index), shown, state_of(dataset, [index]))
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
    shown: list[ViewedOrUnread],
    specs: Sequence[InputSpec],
) -> Batch:
    contents = [s.content if isinstance(s, Viewed) else s for s in shown]
    good = [s.views for s in shown if isinstance(s, Viewed)]
    if not good:
        return Batch(indices, contents, {})
    if condition.corruption is None:
        return Batch(indices, contents, {spec: np.stack([views[spec] for views in good]) for spec in specs})
    ids = [dataset.ids[i] for i, s in zip(indices, shown, strict=True) if isinstance(s, Viewed)]
    keys = image_keys(session.seed, ids, condition.name)
    corrupted = condition.corruption(np.stack([views[None] for views in good]), keys)
    return Batch(indices, contents, {spec: np.stack([fit(p, spec) for p in corrupted]) for spec in specs})


def _measure(session: Session, subject: Subject, condition: Setup, dataset: Dataset, batch: Batch) -> Columns:
    model = subject.model.to(session.device)
    labels = torch.tensor([dataset.targets[i] for i in batch.readable])
    images = to_images(batch.pictures[subject.spec])
    if condition.attack is None:
        logits = answer(model, images.to(session.device, non_blocking=True)).float().cpu()
        space = label_space(dataset.labels)
        everywhere = {"prediction_all": logits.argmax(dim=1).tolist()} if space.members else {}
        return score(space.answer(logits), labels) | everywhere | (ranks(logits) if dataset.ranked else {})
    ids = [dataset.ids[i] for i in batch.readable]
    outcome = condition.attack.run(
        model,
        images,
        labels,
        ids,
        seed=session.seed,
        batch_size=session.batch_size,
        keep_adversarial=session.kept is not None,
    )
    if session.kept:
        about = (session.kept, model, subject.model.name, condition, batch.readable, ids)
        keep_pictures(*about, images, labels, outcome, session.batch_size)
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


def ranks(logits: Tensor) -> Columns:
    """The classes of the second to fifth largest logits [n, k]; the smaller index first where two are equal."""
    order = logits.argsort(dim=1, descending=True, stable=True)[:, : 1 + len(RANK_FIELDS)]
    return {field.name: order[:, place].tolist() for place, field in enumerate(RANK_FIELDS, 1)}


def _added(condition: Setup, dataset: Dataset, card: ModelCard) -> list[str]:
    """Names of the columns that the condition adds, whether or not a batch has a readable image."""
    attack = [field.name for field in ATTACK_FIELDS] if condition.attack and not condition.probes else []
    space = [field.name for field in SPACE_FIELDS] if label_space(dataset.labels).members else []
    space += [field.name for field in RANK_FIELDS] if dataset.ranked and not condition.attack else []
    return attack + space + [name for probe in condition.probes for name in probe.columns(card)]


def _table(dataset: Dataset, batch: Batch, measured: Columns, added: Sequence[str]) -> pa.Table:
    """The batch's records: what was measured in its place, nulls and the reason elsewhere."""
    place = {index: i for i, index in enumerate(batch.readable)}

    def column(name: str) -> list[Any]:
        values = measured.get(name)
        return [values[place[i]] if values is not None and i in place else None for i in batch.indices]

    found = column("reason")
    unread = [content.reason if isinstance(content, Unread) else None for content in batch.contents]
    contents = [None if isinstance(content, Unread) else content for content in batch.contents]
    return RecordColumns(
        image_id=[dataset.ids[i] for i in batch.indices],
        label=[dataset.targets[i] for i in batch.indices],
        prediction=column("prediction"),
        confidence=column("confidence"),
        margin=column("margin"),
        reason=[why or unscored for why, unscored in zip(unread, found, strict=True)],
        extra={"content": contents, **{name: column(name) for name in added}},
    ).table()
