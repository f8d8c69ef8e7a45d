"""Evaluation of an attack, from trials to verdicts: score the clean images, run the queue, score again what it found
with the model itself."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor, nn

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.checks import (
    check_call,
    check_classes,
    check_independent,
    check_logits,
    check_repeatable,
    check_unchanged,
    check_within,
    check_writes,
)
from bench.attacks.losses import margin
from bench.attacks.network import Network, Precision, device_of
from bench.attacks.prepared import PROBE, PreparedModel, prepare
from bench.attacks.queue import Queue, Trial, Workload
from bench.attacks.result import CLEAN, AttackResult

Progress = Callable[[int, int], None]
"""Told (images with a final verdict, all images)."""

ENDS = 4
"""Pictures that stand at the end, at which the copy is held against the model once more."""


class Spec(Protocol):
    """What of an attack the evaluation needs."""

    @property
    def name(self) -> str: ...
    @property
    def eps(self) -> Fraction: ...
    @property
    def norm(self) -> Norm: ...
    @property
    def trials(self) -> tuple[Trial, ...]: ...
    @property
    def through(self) -> str: ...
    @property
    def precision(self) -> Precision: ...


class Evaluation:
    """One attack on one set of images. `judge` is the model as it came; the queues attack a fast copy of it."""

    def __init__(
        self,
        spec: Spec,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        ids: Sequence[str],
        seed: int,
        batch_size: int,
    ) -> None:
        check_call(model, images, labels, ids)
        self.spec, self.batch_size, self.seed = spec, batch_size, seed
        self.device = device_of(model)
        self.judge = Network(model, self.device)
        self.logits = self._score_clean(images)
        check_logits(self.logits, labels)
        self._check_function(images)
        check_classes(spec.name, max(trial.classes for trial in spec.trials), self.logits.shape[1])
        self.load = Workload(images, labels, ids, self.logits.clone())
        self.model, self.prepared = model, PreparedModel(model, model, False, "")
        self.queues: list[Queue] = []
        self.adversarial = images.clone()
        self.verdicts: list[str | None] = [CLEAN] * len(ids)

    def _score_clean(self, images: Tensor) -> Tensor:
        """Logits [n, k] of the clean images. Raises `UsageError` where the model writes into what it is shown."""
        before = images[: self.batch_size].clone()
        logits = self._score(images, self.batch_size)
        check_writes(before, images[: self.batch_size])
        return logits

    def _check_function(self, images: Tensor) -> None:
        """Refuse a model whose answer to a picture hangs on chance, or on the other pictures of the batch."""
        first = images[: self.batch_size]
        check_repeatable(self.logits[: len(first)], self._score(first, self.batch_size))
        others = self._score(first.flip(0), self.batch_size // 2 + 1).flip(0)
        check_independent(self.logits[: len(first)], others)

    def _queues(self) -> list[Queue]:
        """One of all trials; where it does not search in float32, another of the last trial that does."""
        networks = {"fp32": self.prepared.network(self.device)}
        trials = {"fp32": self.spec.trials}
        if self.spec.precision != "fp32":
            trials = {self.spec.precision: self.spec.trials, "fp32": self.spec.trials[-1:]}
            networks[self.spec.precision] = self.prepared.network(self.device, self.spec.precision)
        return [Queue(networks[p], own, self.load, self.seed, self.batch_size) for p, own in trials.items()]

    def run(self, progress: Progress | None, keep_adversarial: bool) -> AttackResult:
        """The verdicts."""
        standing = (self.logits.argmax(1) == self.load.labels).nonzero().flatten().tolist()
        if standing:
            self.prepared = prepare(self.model, self.load.images[:PROBE].to(self.device), self.spec.through)
            self.queues = self._queues()
        for queue in self.queues:
            standing = self._search(queue, standing, progress)
        if why := self._copy_differs(standing):
            self.prepared.give_up(f"where the attack ended {why}")
            again = self._queues()
            self.queues += again
            for queue in again:
                standing = self._search(queue, standing, progress)
        check_unchanged(
            self.load.logits[: self.batch_size], self._score(self.load.images[: self.batch_size], self.batch_size)
        )
        return self._outcome(keep_adversarial)

    def _copy_differs(self, standing: list[int]) -> str:
        """How the copy that was attacked differs from the model at the last points of pictures that stand, if it does.
        A model that behaves otherwise away from the pictures is found here."""
        ends = standing[:: max(len(standing) // ENDS, 1)][:ENDS]
        return self.prepared.differs(self.adversarial[ends]) if ends else ""

    def _search(self, queue: Queue, standing: list[int], progress: Progress | None) -> list[int]:
        """Those that still stand after all trials. A claim that is not confirmed sends the image to its next trial."""
        unsure = standing
        for index in unsure:
            queue.add(index)
        while unsure:
            queue.drain()
            tried = {index: queue.findings[index].trial for index in unsure}
            self._judge(queue, unsure)
            unsure = [i for i in unsure if self.verdicts[i] is None and tried[i] + 1 < len(queue.trials)]
            for index in unsure:
                queue.add(index, tried[index] + 1)
            if progress:
                progress(len(self.verdicts) - len(unsure), len(self.verdicts))
        return [index for index in standing if self.verdicts[index] is None]

    def _judge(self, queue: Queue, indices: list[int]) -> None:
        """Score what the queue found, in another batch size than its own: a verdict must not hang on who shared it."""
        rows = torch.tensor(indices)
        self.adversarial[rows] = torch.stack([queue.findings[index].image for index in indices])
        self.logits[rows] = self._score(self.adversarial[rows], self.batch_size // 2 + 1)
        wrong = self.logits[rows].argmax(1) != self.load.labels[rows]
        wrong |= ~self.logits[rows].isfinite().all(1)  # no answer at all is no right one
        for index, broken in zip(indices, wrong.tolist(), strict=True):
            name = queue.trials[queue.findings[index].trial].search.name
            self.verdicts[index] = name if broken else None

    def _score(self, images: Tensor, batch_size: int) -> Tensor:
        """Logits [n, k] of images in host memory, by the model itself in float32."""
        chunks = torch.split(images, batch_size)
        return torch.cat([self.judge.logits(chunk.to(self.judge.device)).logits.cpu() for chunk in chunks])

    def _outcome(self, keep_adversarial: bool) -> AttackResult:
        distance = norms.size(self.adversarial - self.load.images, self.spec.norm)
        check_within(self.adversarial, distance, self.spec.norm, float(self.spec.eps))
        finite = self.logits.isfinite().all(1)
        prediction = torch.where(finite, self.logits.argmax(1), self._some_wrong_class())
        return AttackResult(
            prediction=prediction,
            confidence=self.logits.softmax(1).gather(1, prediction[:, None]).squeeze(1),
            margin=torch.where(finite, margin(self.logits, self.load.labels), torch.nan),
            distance=distance,
            steps=sum((queue.steps for queue in self.queues), torch.zeros_like(self.load.labels)),
            broken_by=self.verdicts,
            adversarial=self.adversarial if keep_adversarial else None,
            cost=sum((queue.network.cost for queue in self.queues), self.judge.cost),
            notes=self._notes(int((~finite).sum())),
        )

    def _some_wrong_class(self) -> Tensor:
        """int64 [n]: the likeliest of the other classes whose logit is a number."""
        known = torch.where(self.logits.isfinite(), self.logits, torch.finfo(self.logits.dtype).min)
        return known.scatter(1, self.load.labels[:, None], -torch.inf).argmax(1)

    def _notes(self, without_answer: int) -> tuple[str, ...]:
        """What a reader of the number must know."""
        silent = f"the logits of {without_answer} attacked pictures are NaN or infinite: counted as broken"
        return tuple(filter(None, [self.prepared.note, silent if without_answer else ""]))
