"""Evaluation of an attack, from trials to verdicts: score the clean images, run the queue, score again what it found
with the model itself."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.checks import check_call, check_classes, check_logits, check_repeatable
from bench.attacks.losses import margin
from bench.attacks.network import Network, freeze, prepare
from bench.attacks.queue import Queue, Trial, Workload
from bench.attacks.result import CLEAN, AttackResult

Progress = Callable[[int, int], None]
"""Told (images with a final verdict, all images)."""


class Spec(Protocol):
    """What of an attack the evaluation needs."""

    @property
    def name(self) -> str: ...
    @property
    def norm(self) -> Norm: ...
    @property
    def trials(self) -> tuple[Trial, ...]: ...
    @property
    def through(self) -> str: ...
    @property
    def screen(self) -> torch.dtype | None: ...


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
        device = next((t.device for t in [*model.parameters(), *model.buffers()]), torch.device("cpu"))
        check_call(model, images, labels, ids)
        self.spec, self.batch_size = spec, batch_size
        self.judge = Network(freeze(model), device)
        self.logits = self._score(images, batch_size)
        check_logits(self.logits, labels)
        check_repeatable(self.logits[:batch_size], self._score(images[:batch_size], batch_size))
        check_classes(spec.name, max(trial.classes for trial in spec.trials), self.logits.shape[1])
        fast = prepare(model, images[:2].to(device), spec.through)
        self.load = Workload(images, labels, ids, self.logits.clone())
        self.queues = [Queue(Network(fast, device), spec.trials, self.load, seed, batch_size)]
        if spec.screen:
            first = [trial for trial in spec.trials if trial.search == spec.trials[0].search]
            self.queues.insert(0, Queue(Network(fast, device, spec.screen), first, self.load, seed, batch_size))
        self.adversarial = images.clone()
        self.verdicts: list[str | None] = [CLEAN] * len(ids)

    def run(self, progress: Progress | None, keep_adversarial: bool) -> AttackResult:
        """The verdicts: what stands after a screening starts anew in float32."""
        standing = (self.logits.argmax(1) == self.load.labels).nonzero().flatten().tolist()
        for queue in self.queues:
            standing = self._search(queue, standing, progress)
        return self._outcome(keep_adversarial)

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
        for index, broken in zip(indices, wrong.tolist(), strict=True):
            name = queue.trials[queue.findings[index].trial].search.name
            self.verdicts[index] = name if broken else None

    def _score(self, images: Tensor, batch_size: int) -> Tensor:
        """Logits [n, k] of images in host memory, by the model itself in float32."""
        chunks = torch.split(images, batch_size)
        return torch.cat([self.judge.logits(chunk.to(self.judge.device)).logits.cpu() for chunk in chunks])

    def _outcome(self, keep_adversarial: bool) -> AttackResult:
        prediction = self.logits.argmax(1)
        return AttackResult(
            prediction=prediction,
            confidence=self.logits.softmax(1).gather(1, prediction[:, None]).squeeze(1),
            margin=margin(self.logits, self.load.labels),
            distance=norms.size(self.adversarial - self.load.images, self.spec.norm),
            steps=torch.stack([queue.steps for queue in self.queues]).sum(0),
            broken_by=self.verdicts,
            adversarial=self.adversarial if keep_adversarial else None,
            cost=sum((queue.network.cost for queue in self.queues), self.judge.cost),
        )
