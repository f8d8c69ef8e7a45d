"""Evaluation of an attack, from trials to verdicts: score the clean images, run the queue, and confirm its results
with the model itself."""

from typing import Protocol

import torch
from torch import Tensor

from bench.attacks.budget import odd_budget
from bench.attacks.checks import check_classes, check_unchanged
from bench.attacks.clean import clean_logits
from bench.attacks.losses import margin, misclassified
from bench.attacks.memory import ENDS, as_it_came, check_no_memory
from bench.attacks.network import Cost, Network, Precision
from bench.attacks.prepared import PROBE, PreparedModel, prepare
from bench.attacks.queue import Queue, Trial, Workload
from bench.attacks.request import Request
from bench.attacks.result import CLEAN, AttackResult, Budget, judged

UNLED_SHARE, BLIND_SHARE = 0.2, 0.1
"""Shares above which a note is made: those of the reliability verdict's like criteria (`flat_loss`,
`blind_gradients`)."""

UNLED = (
    "the attack did not lower the label's lead on {count} of {of} surviving images: it was not led by what it followed "
    "(gradients that are zero, wrong or random, answers from memory), and robust accuracy may be far lower"
)
BLIND = "{count} of {of} gradients were zero or not finite, so robust accuracy may be far lower"

FAINT = 2.0
"""Odds of the likeliest class, in multiples of those of an even share, below which a model is near even odds."""
EVEN = (
    "the model gives its likeliest class a probability of {found:.3g} (median; even odds are {even:.3g}): at so small "
    "a scale of logits the cross-entropy follows the mean of all classes, not the next one, and robust accuracy may be "
    "lower: attack the logits before they are scaled, or use apgd-dlr or apgd-t, which do not depend on their scale"
)


class Spec(Budget, Protocol):
    """The parts of an attack that the evaluation needs."""

    @property
    def name(self) -> str: ...
    @property
    def trials(self) -> tuple[Trial, ...]: ...
    @property
    def through(self) -> str: ...
    @property
    def precision(self) -> Precision: ...


class Evaluation:
    """One attack on one set of images. `judge` is the original model; the queues attack a fast copy of it."""

    def __init__(self, spec: Spec, request: Request) -> None:
        self.spec, self.request, self.batch_size = spec, request, request.batch_size
        self.judge = Network(request.model, request.device)
        self.fresh = as_it_came(request.model)
        self.logits = clean_logits(
            request, self.judge, self.fresh, gradients=any(trial.search.gradients for trial in spec.trials)
        )
        check_classes(spec.name, max(trial.classes for trial in spec.trials), self.logits.shape[1])
        self.load = Workload(request.images, request.labels, request.ids, self.logits.clone())
        self.prepared = PreparedModel(request.model, request.model, False, "")
        self.queues: list[Queue] = []
        self.adversarial = request.images.clone()
        self.verdicts: list[str | None] = [CLEAN] * len(request)
        self.misled = [True] * len(request)  # by the first trial, in whichever queue ran it last
        self.first: dict[int, int] = {}  # trial with which the next queue begins on an image, where not with the first

    def _queues(self) -> list[Queue]:
        """Make a queue in the attack's precision, and one in float32 if that precision is lower."""
        precisions = dict.fromkeys((self.spec.precision, "fp32"))
        networks = [self.prepared.network(self.request.device, precision) for precision in precisions]
        return [
            Queue(net, self.spec.trials, self.load, self.request.seed, self.batch_size, self.misled) for net in networks
        ]

    def run(self) -> AttackResult:
        """Return the verdicts."""
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
        if len(ends := self._ends(standing)):
            check_no_memory(self.fresh, self.request.model, ends.to(self.request.device))
        return self._result()

    def _ends(self, standing: list[int]) -> Tensor:
        """Return the last points [m, 3, h, w] of at most `ENDS` of the surviving images."""
        return self.adversarial[standing[:: max(len(standing) // ENDS, 1)][:ENDS]]

    def _copy_differs(self, standing: list[int]) -> str:
        """Return how the attacked copy differs from the model at the last points of surviving images, or an empty
        text. This finds a model that behaves differently away from the clean images."""
        ends = self._ends(standing)
        return self.prepared.differs(ends) if len(ends) else ""

    def _search(self, queue: Queue, standing: list[int]) -> list[int]:
        """Run the trials and return the images that survive. An unconfirmed result sends the image to its next
        trial. The next queue gets the survivors, from the first trial with an unconfirmed or interrupted result, or
        else from the last trial."""
        unsure, tried = standing, dict[int, int]()
        for index in unsure:
            queue.add(index, self.first.get(index, 0))
        self.first = {}
        while unsure:
            queue.drain()
            tried |= {index: queue.findings[index].trial for index in unsure}
            self._judge(queue, unsure)
            for index in unsure:
                if self.verdicts[index] is None and queue.findings[index].broken:
                    self.first.setdefault(index, tried[index])
            ahead = {i: queue.following(i, tried[i] + 1) for i in unsure if self.verdicts[i] is None}
            unsure = [i for i, trial in ahead.items() if trial < len(queue.trials)]
            for index in unsure:
                queue.add(index, ahead[index])
            self.request.progress(len(self.verdicts) - len(unsure), len(self.verdicts))
        left = [index for index in standing if self.verdicts[index] is None]
        self.first = {index: self.first.get(index, tried[index]) for index in left}
        return left

    def _judge(self, queue: Queue, indices: list[int]) -> None:
        """Score the queue's results in another batch size: a verdict must not depend on the composition of the
        batch."""
        rows = torch.tensor(indices)
        self.adversarial[rows] = torch.stack([queue.findings[index].image for index in indices])
        self.logits[rows] = self.judge.score(self.adversarial[rows], self.batch_size // 2 + 1)
        wrong = misclassified(self.logits[rows], self.load.labels[rows]).tolist()
        for index, broken in zip(indices, wrong, strict=True):
            name = queue.trials[queue.findings[index].trial].search.name
            self.verdicts[index] = name if broken else None

    def _unled(self) -> str:
        """Return the note about an attack that had nothing to follow: many gradients were zero or not finite, or it did
        not lower the label's lead on many surviving images (unless its last trial aims at one class); else empty."""
        survive = torch.tensor([verdict is None for verdict in self.verdicts])
        if not self.spec.eps or not survive.any():
            return ""
        before, after = (margin(logits, self.load.labels) for logits in (self.load.logits, self.logits))
        stuck, of = int((survive & (after >= before)).sum()), int(survive.sum())
        if stuck > of * UNLED_SHARE and not self.spec.trials[-1].rank:
            return UNLED.format(count=stuck, of=of)
        cost = sum((queue.network.cost for queue in self.queues), Cost())
        blind = cost.zero + cost.nonfinite
        return BLIND.format(count=blind, of=cost.backward) if blind > cost.backward * BLIND_SHARE else ""

    def _even(self) -> str:
        """Return the note about a cross-entropy attack on a model near even odds on clean images, or nothing."""
        clean = self.load.logits
        right = clean[clean.argmax(1) == self.load.labels]
        others = clean.shape[1] - 1  # of one alone the cross-entropy follows the next class, whatever the scale
        follows = {getattr(trial.search, "loss", "") for trial in self.spec.trials}
        if follows != {"ce"} or others < 2 or not len(right):
            return ""
        found = float(right.softmax(1).amax(1).median())
        return EVEN.format(found=found, even=1 / (others + 1)) if found * others < FAINT * (1 - found) else ""

    def _result(self) -> AttackResult:
        steps = sum((queue.steps for queue in self.queues), torch.zeros_like(self.load.labels))
        cost = sum((queue.network.cost for queue in self.queues), self.judge.cost)
        budget = odd_budget(self.spec.norm, self.spec.eps)
        notes = tuple(filter(None, (self.prepared.note, self._unled(), self._even(), budget)))
        return judged(self.request, self.spec, self.adversarial, self.logits, self.verdicts, steps, cost, notes)
