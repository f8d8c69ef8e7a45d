"""The probes of the suite `batchnorm`: moments, statistics that the batch decides, and branches taken apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from bench.diagnostics.adapt import adaptable, adapted, reestimated
from bench.diagnostics.branches import hybrid
from bench.diagnostics.collect import collecting
from bench.diagnostics.columns import BATCH, BATCHES, PRIORS, SAMPLES, adapted_column, cross_column
from bench.diagnostics.probe import Found, Probe, Sight
from bench.diagnostics.table import to_table
from model_zoo.card import ModelCard

REESTIMATED_FROM = 512
"""Images, in batches of `BATCHES[0]`."""


@dataclass(frozen=True)
class MomentsProbe(Probe):
    """Channel moments of every point of the network."""

    @property
    def name(self) -> str:
        return "moments"

    def columns(self, card: ModelCard) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def look(self, sight: Sight) -> Found:
        with collecting(sight.model) as found:
            sight.logits(sight.model)
        return Found(measurement=to_table(found))


@dataclass(frozen=True)
class ConsistencyProbe(Probe):
    """Predictions under the statistics of fixed batches, and under those of `REESTIMATED_FROM` clean images."""

    @property
    def name(self) -> str:
        return "consistency"

    def columns(self, card: ModelCard) -> tuple[str, ...]:  # noqa: ARG002
        return (*(f"prediction_batch{n}" for n in BATCHES), "prediction_reestimated")

    def look(self, sight: Sight) -> Found:
        if not adaptable(sight.model):
            return Found()
        columns = {f"prediction_batch{n}": predict_by_batch(sight, sight.model, n, 0) for n in BATCHES}
        fresh = sight.keep("reestimated", lambda: reestimated(sight.model, _clean_batches(sight)))
        return Found({**columns, "prediction_reestimated": sight.predict(fresh)})


@dataclass(frozen=True)
class AdaptationProbe(Probe):
    """Predictions where each batch of n images is mixed into the stored statistics with prior N."""

    @property
    def name(self) -> str:
        return "adaptation"

    def columns(self, card: ModelCard) -> tuple[str, ...]:  # noqa: ARG002
        return tuple(adapted_column(n, prior) for n, prior in product(SAMPLES, PRIORS))

    def look(self, sight: Sight) -> Found:
        if not adaptable(sight.model):
            return Found()
        columns: dict[str, list[int]] = {}
        sizes = [min(n, len(sight.images)) for n in SAMPLES]  # all that exceed the unit are the same one batch
        for (n, size), prior in product(zip(SAMPLES, sizes, strict=True), PRIORS):
            known = adapted_column(SAMPLES[sizes.index(size)], prior)
            columns[adapted_column(n, prior)] = columns.get(known) or predict_by_batch(sight, sight.model, size, prior)
        return Found(columns)


@dataclass(frozen=True)
class CrossProbe(Probe):
    """Predictions with the statistics of one branch (or of the batch) and the affine parameters of another."""

    @property
    def name(self) -> str:
        return "cross"

    def columns(self, card: ModelCard) -> tuple[str, ...]:
        return tuple(cross_column(s, a) for s, a in product((*card.branches, BATCH), card.branches))

    def look(self, sight: Sight) -> Found:
        columns = {}
        branches = sight.model.card.branches
        for statistics, affine in product((*branches, BATCH), branches):
            mixed = hybrid(sight.model, affine if statistics == BATCH else statistics, affine)
            answers = predict_by_batch(sight, mixed, BATCHES[0], 0) if statistics == BATCH else sight.predict(mixed)
            columns[cross_column(statistics, affine)] = answers
        return Found(columns)


def predict_by_batch(sight: Sight, model: nn.Module, size: int, prior: float) -> list[int]:
    """The predictions of `model` with the statistics of consecutive batches of `size` images of the unit."""
    mixing, answers = adapted(model, prior), []
    with torch.inference_mode():
        for batch, fresh in whole_batches(sight.images, size):
            logits = mixing(batch.to(sight.device)).float().cpu()
            answers += sight.answer(logits[:fresh]).argmax(1).tolist()
    return answers


def whole_batches(images: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Batches of `size` images, each with the number of those that are its own.

    A last batch that falls short is filled from the unit's beginning; a unit that is smaller is one batch.
    """
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        missing = size - len(batch)
        yield (torch.cat([batch, images[:missing]]) if missing and start else batch), len(batch)


def _clean_batches(sight: Sight) -> Iterator[Tensor]:
    for batch in torch.split(sight.sample(REESTIMATED_FROM), BATCHES[0]):
        yield batch.to(sight.device)
