"""Evaluation of an attack, from trials to verdicts: score the clean images, run the queue, score again what it found
with the model itself."""

from typing import Protocol

import torch

from bench.attacks.checks import check_classes, check_unchanged
from bench.attacks.clean import clean_logits
from bench.attacks.losses import misclassified
from bench.attacks.network import Network, Precision
from bench.attacks.prepared import PROBE, PreparedModel, prepare
from bench.attacks.queue import Queue, Trial, Workload
from bench.attacks.request import Request
from bench.attacks.result import CLEAN, AttackResult, Budget, judged

ENDS = 4
"""Images that stand at the end, at which the copy is held against the model once more."""


class Spec(Budget, Protocol):
    """What of an attack the evaluation needs."""

    @property
    def name(self) -> str: ...
    @property
    def trials(self) -> tuple[Trial, ...]: ...
    @property
    def through(self) -> str: ...
    @property
    def precision(self) -> Precision: ...


class Evaluation:
    """One attack on one set of images. `judge` is the model as it came; the queues attack a fast copy of it."""

    def __init__(self, spec: Spec, request: Request) -> None:
        self.spec, self.request, self.batch_size = spec, request, request.batch_size
        self.judge = Network(request.model, request.device)
        self.logits = clean_logits(request, self.judge)
        check_classes(spec.name, max(trial.classes for trial in spec.trials), self.logits.shape[1])
        self.load = Workload(request.images, request.labels, request.ids, self.logits.clone())
        self.prepared = PreparedModel(request.model, request.model, False, "")
        self.queues: list[Queue] = []
        self.adversarial = request.images.clone()
        self.verdicts: list[str | None] = [CLEAN] * len(request)
        self.first: dict[int, int] = {}  # trial with which the next queue begins on an image, where not with the first

    def _queues(self) -> list[Queue]:
        """One; where it does not search in float32, another that does."""
        precisions = dict.fromkeys((self.spec.precision, "fp32"))
        networks = [self.prepared.network(self.request.device, precision) for precision in precisions]
        return [Queue(net, self.spec.trials, self.load, self.request.seed, self.batch_size) for net in networks]

    def run(self) -> AttackResult:
        """The verdicts."""
        standing = (self.logits.argmax(1) == self.load.labels).nonzero().flatten().tolist()
        if standing:
            first = self.load.images[:PROBE].to(self.request.device)
            self.prepared = prepare(self.request.model, first, self.spec.through)
            self.queues = self._queues()
        for queue in self.queues:
            standing = self._search(queue, standing)
        if why := self._copy_differs(standing):
            self.prepared.give_up(f"where the attack ended {why}")
            self.first, again = {}, self._queues()
            self.queues += again
            for queue in again:
                standing = self._search(queue, standing)
        check_unchanged(
            self.load.logits[: self.batch_size], self.judge.score(self.load.images[: self.batch_size], self.batch_size)
        )
        return self._result()

    def _copy_differs(self, standing: list[int]) -> str:
        """How the copy that was attacked differs from the model at the last points of images that stand, if it does.
        A model that behaves otherwise away from the images is found here."""
        ends = standing[:: max(len(standing) // ENDS, 1)][:ENDS]
        return self.prepared.differs(self.adversarial[ends]) if ends else ""

    def _search(self, queue: Queue, standing: list[int]) -> list[int]:
        """Those that still stand after all trials. A claim that is not confirmed sends the image to its next trial.

        What still stands is the next queue's, from the first trial on whose claim was not confirmed, and which ended
        before its time; else from the last.
        """
        unsure = standing
        for index in unsure:
            queue.add(index, self.first.get(index, 0))
        self.first = {}
        while unsure:
            queue.drain()
            tried = {index: queue.findings[index].trial for index in unsure}
            self._judge(queue, unsure)
            for index in unsure:
                if self.verdicts[index] is None and queue.findings[index].broken:
                    self.first.setdefault(index, tried[index])
            unsure = [i for i in unsure if self.verdicts[i] is None and tried[i] + 1 < len(queue.trials)]
            for index in unsure:
                queue.add(index, tried[index] + 1)
            self.request.progress(len(self.verdicts) - len(unsure), len(self.verdicts))
        left = [index for index in standing if self.verdicts[index] is None]
        self.first = {index: self.first.get(index, len(queue.trials) - 1) for index in left}
        return left

    def _judge(self, queue: Queue, indices: list[int]) -> None:
        """Score what the queue found, in another batch size than its own: a verdict must not hang on who shared it."""
        rows = torch.tensor(indices)
        self.adversarial[rows] = torch.stack([queue.findings[index].image for index in indices])
        self.logits[rows] = self.judge.score(self.adversarial[rows], self.batch_size // 2 + 1)
        wrong = misclassified(self.logits[rows], self.load.labels[rows]).tolist()
        for index, broken in zip(indices, wrong, strict=True):
            name = queue.trials[queue.findings[index].trial].search.name
            self.verdicts[index] = name if broken else None

    def _result(self) -> AttackResult:
        steps = sum((queue.steps for queue in self.queues), torch.zeros_like(self.load.labels))
        cost = sum((queue.network.cost for queue in self.queues), self.judge.cost)
        notes = (self.prepared.note,) if self.prepared.note else ()
        return judged(self.request, self.spec, self.adversarial, self.logits, self.verdicts, steps, cost, notes)
