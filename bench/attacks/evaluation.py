"""From trials to verdicts: score the clean images, run the queue, score again what it found with the model itself."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.checks import check_call, check_classes, check_logits, check_repeatable
from bench.attacks.losses import margin
from bench.attacks.network import Network, freeze, prepare
from bench.attacks.outcome import CLEAN, Outcome
from bench.attacks.queue import Queue, Trial, Workload

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


class Evaluation:
    """One attack on one set of images. `judge` is the model as it came; `network` a fast copy that is attacked."""

    def __init__(
        self, spec: Spec, model: nn.Module, images: Tensor, labels: Tensor, ids: Sequence[str],
        seed: int, batch_size: int,
    ) -> None:  # fmt: skip
        device = next((t.device for t in [*model.parameters(), *model.buffers()]), torch.device("cpu"))
        check_call(model, images, labels, ids)
        self.spec, self.batch_size = spec, batch_size
        self.judge = Network(freeze(model), device)
        self.clean = self._score(images, batch_size)
        check_logits(self.clean, labels)
        check_repeatable(self.clean[:batch_size], self._score(images[:batch_size], batch_size))
        check_classes(spec.name, max(trial.classes for trial in spec.trials), self.clean.shape[1])
        self.network = Network(prepare(model, images[:2].to(device), spec.through), device)
        self.load = Workload(images, labels, ids, self.clean)
        self.queue = Queue(self.network, spec.trials, self.load, seed, batch_size)

    def run(self, progress: Progress | None, keep_adversarial: bool) -> Outcome:
        """The verdicts. A claim that the judge does not confirm sends the image on to its next trial."""
        unsure = (self.clean.argmax(1) == self.load.labels).nonzero().flatten().tolist()
        verdicts: list[str | None] = [CLEAN] * len(self.load.ids)
        adversarial, logits = self.load.images.clone(), self.clean.clone()
        trial = dict.fromkeys(unsure, 0)
        while unsure:
            for index in unsure:
                self.queue.add(index, trial[index])
            self.queue.drain()
            found = [self.queue.findings[index] for index in unsure]
            rows = torch.tensor(unsure)
            adversarial[rows] = torch.stack([finding.image for finding in found])
            # Another batch size than the search's: a verdict must not hang on who shared its batch.
            logits[rows] = self._score(adversarial[rows], self.batch_size // 2 + 1)
            wrong = (logits[rows].argmax(1) != self.load.labels[rows]).tolist()
            for finding, broken in zip(found, wrong, strict=True):
                verdicts[finding.index] = self.spec.trials[finding.trial].search.name if broken else None
                trial[finding.index] = finding.trial + 1
            last = len(self.spec.trials)
            unsure = [i for i, broken in zip(unsure, wrong, strict=True) if not broken and trial[i] < last]
            if progress:
                progress(len(verdicts) - len(unsure), len(verdicts))
        return self._outcome(verdicts, adversarial, logits, keep_adversarial)

    def _score(self, images: Tensor, batch_size: int) -> Tensor:
        """Logits [n, k] of images in host memory, by the model itself in float32."""
        chunks = torch.split(images, batch_size)
        return torch.cat([self.judge.logits(chunk.to(self.judge.device)).logits.cpu() for chunk in chunks])

    def _outcome(
        self, verdicts: list[str | None], adversarial: Tensor, logits: Tensor, keep_adversarial: bool
    ) -> Outcome:  # fmt: skip
        prediction = logits.argmax(1)
        return Outcome(
            prediction=prediction,
            confidence=logits.softmax(1).gather(1, prediction[:, None]).squeeze(1),
            margin=margin(logits, self.load.labels),
            distance=norms.size(adversarial - self.load.images, self.spec.norm),
            steps=self.queue.steps,
            broken_by=verdicts,
            adversarial=adversarial if keep_adversarial else None,
            cost=self.judge.cost + self.network.cost,
        )
