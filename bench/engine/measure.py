"""Measurements of a batch, by record column: outputs, outputs under attack, and results of probes."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from bench.attacks.forward import answer
from bench.attacks.request import Request
from bench.datasets.base import Dataset
from bench.datasets.labels import label_space
from bench.diagnostics.perturb import perturb
from bench.diagnostics.probe import Sight
from bench.engine.batches import Batch, read_sample
from bench.engine.keeping import keep_pictures
from bench.engine.session import Session, Subject
from bench.record import ATTACK_FIELDS, RANK_FIELDS, SPACE_FIELDS
from bench.suites.base import Setup
from model_zoo.card import ModelCard

NOTES = "notes"
"""Key of the notes beside the columns; not a column itself."""

Columns = dict[str, Sequence[Any]]
"""What was measured of the readable images of a batch, by record column."""


def measure(session: Session, subject: Subject, setup: Setup, batch: Batch) -> Columns:
    """Return the model's outputs for a batch, under attack if the condition has one."""
    if setup.attack is None:
        return _answers(session, subject, batch)
    request = _request(session, subject, batch)
    outcome = setup.attack.carry_out(request)
    if session.kept:
        keep_pictures(session.kept, request, subject.model.name, setup, batch.readable, outcome)
    return {
        "prediction": outcome.prediction.tolist(),
        "confidence": outcome.confidence.tolist(),
        "margin": outcome.margin.tolist(),
        "broken_by": outcome.broken_by,
        "steps": outcome.steps.tolist(),
        "distance": outcome.distance.tolist(),
        NOTES: outcome.notes,
    }


def _answers(session: Session, subject: Subject, batch: Batch) -> Columns:
    images = batch.images(subject.spec, session.device)
    logits = answer(subject.model.to(session.device), images).float().cpu()
    space = label_space(batch.dataset.labels)
    everywhere = {"prediction_all": logits.argmax(dim=1).tolist()} if space.members else {}
    return score(space.answer(logits), batch.labels) | everywhere | (ranks(logits) if batch.dataset.ranked else {})


def _request(session: Session, subject: Subject, batch: Batch) -> Request:
    model, images = subject.model.to(session.device), batch.images(subject.spec)
    return Request(model, images, batch.labels, batch.ids, session.seed, session.batch_size)


def look(session: Session, subject: Subject, setup: Setup, batch: Batch) -> tuple[Columns, pa.Table | None]:
    """Return the results of the condition's probes on a unit: the images are attacked to the end, then the model is
    measured."""
    sight = _sight(session, subject, setup, batch)
    space = label_space(batch.dataset.labels)
    logits = sight.logits(subject.model)
    columns = score(space.answer(logits), sight.labels)
    columns |= {"prediction_all": logits.argmax(dim=1).tolist()} if space.members else {}
    measurement = None
    for probe in setup.probes:
        found = probe.look(sight)
        columns |= found.columns
        measurement = measurement if found.measurement is None else found.measurement
    return columns, measurement


def _sight(session: Session, subject: Subject, setup: Setup, batch: Batch) -> Sight:
    dataset = batch.dataset
    images = perturb(setup.attack, _request(session, subject, batch)) if setup.attack else batch.images(subject.spec)

    def sample(count: int) -> Tensor:
        plain = Setup(setup.dataset, setup.split, setup.files)
        chosen = list(range(min(count, len(dataset))))
        return read_sample(session, dataset, plain, chosen, subject.spec).images(subject.spec)

    def keep(key: str, make: Callable[[], Any]) -> Any:
        return session.keep(f"{subject.fingerprint} {subject.model.name} {dataset.shelf} {key}", make)

    return Sight(
        subject.model.to(session.device),
        images,
        batch.labels,
        batch.ids,
        session.device,
        session.batch_size,
        session.seed,
        label_space(dataset.labels).answer,
        sample,
        keep,
    )


def score(logits: Tensor, labels: Tensor) -> Columns:
    """Return prediction, its softmax probability, and the label's margin, of logits [n, k]; not scored if not
    finite."""
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
    """Return the classes of the second to fifth largest logits [n, k]; of equal ones the smaller index first."""
    order = logits.argsort(dim=1, descending=True, stable=True)[:, : 1 + len(RANK_FIELDS)]
    return {field.name: order[:, place].tolist() for place, field in enumerate(RANK_FIELDS, 1)}


def added_columns(setup: Setup, dataset: Dataset, card: ModelCard) -> list[str]:
    """Return the names of the columns that the condition adds, also for a batch without readable images."""
    attack = [field.name for field in ATTACK_FIELDS] if setup.attack and not setup.probes else []
    space = [field.name for field in SPACE_FIELDS] if label_space(dataset.labels).members else []
    space += [field.name for field in RANK_FIELDS] if dataset.ranked and not setup.attack else []
    return attack + space + [name for probe in setup.probes for name in probe.columns(card)]
