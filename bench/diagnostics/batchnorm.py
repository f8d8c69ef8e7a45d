"""Probes of the suite `batchnorm`: channel moments, batch and adapted statistics, and crossed branches."""

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
"""Number of clean images for re-estimation, in batches of `BATCHES[0]`."""


@dataclass(frozen=True)
class MomentsProbe(Probe):
    """Channel moments at every normalisation point of the network. Version 2: layer norms of images are measured by
    channel, not by column. 3: so are RMS norms and normalisations that libraries write themselves."""

    version: str = "3"

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
    """Predictions with the statistics of fixed batches, and with those of `REESTIMATED_FROM` clean images."""

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
    """Predictions with the statistics of each batch of n images mixed into the stored ones with prior N."""

    @property
    def name(self) -> str:
        return "adaptation"

    def columns(self, card: ModelCard) -> tuple[str, ...]:  # noqa: ARG002
        return tuple(adapted_column(n, prior) for n, prior in product(SAMPLES, PRIORS))

    def look(self, sight: Sight) -> Found:
        if not adaptable(sight.model):
            return Found()
        columns: dict[str, list[int]] = {}
        sizes = [min(n, len(sight.images)) for n in SAMPLES]  # every n above the unit's size gives the same batch
        for (n, size), prior in product(zip(SAMPLES, sizes, strict=True), PRIORS):
            known = adapted_column(SAMPLES[sizes.index(size)], prior)
            columns[adapted_column(n, prior)] = columns.get(known) or predict_by_batch(sight, sight.model, size, prior)
        return Found(columns)


@dataclass(frozen=True)
class CrossProbe(Probe):
    """Predictions with the statistics of one branch (or of the batch) and the affine parameters of another branch."""

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
    """Return the predictions of `model` with the statistics of consecutive batches of `size` images of the unit."""
    mixing, answers = adapted(model, prior), []
    with torch.inference_mode():
        for batch, fresh in whole_batches(sight.images, size):
            logits = mixing(batch.to(sight.device)).float().cpu()
            answers += sight.answer(logits[:fresh]).argmax(1).tolist()
    return answers


def whole_batches(images: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Yield batches of `size` images, each with the number of images to predict.

    An incomplete last batch is filled from the unit's beginning; a unit smaller than `size` is one batch.
    """
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        missing = size - len(batch)
        yield (torch.cat([batch, images[:missing]]) if missing and start else batch), len(batch)


def _clean_batches(sight: Sight) -> Iterator[Tensor]:
    for batch in torch.split(sight.sample(REESTIMATED_FROM), BATCHES[0]):
        yield batch.to(sight.device)
