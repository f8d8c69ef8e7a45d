"""Auto-PGD (Croce and Hein, arXiv 2003.01690, section 3 and algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import CLASSES_NEEDED, LOSSES
from bench.attacks.norms import per_image
from bench.attacks.randomness import normal, uniform
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search

MOMENTUM = 0.75
RHO = 0.75
"""alpha and rho of algorithm 1."""


FAINT, FAINT_SHARE = 1e-4, 0.2
"""Size, relative to the largest, below which a value of a gradient is taken for zero, and the share of such values from
which the gradient is taken to mislead. On robust embedded networks the share was 8 % at most, on EfficientNet-Lite0
1 %, and behind the staircases of sigmoids in `benchmarks/attack_models.py` 43 % or more."""


@dataclass
class ApgdBatch(ActiveBatch):
    """previous: the iterate before x; best: that of the highest objective, its gradient, and the objective [b]
    value: objective at x [b]; stride: step size [b]; window, since: int64 [b], length of this stretch between two
    checkpoints and steps made of it; rises: int64 [b], how many of these raised the objective
    best_before: `highest` at the last checkpoint [b]; halved: bool [b], whether the step size was halved there
    raised: bool [b], a step led above the start's objective; blind: bool [b], a gradient was zero or not finite."""

    previous: Tensor
    best: Tensor
    best_gradient: Tensor
    highest: Tensor
    value: Tensor
    stride: Tensor
    window: Tensor
    since: Tensor
    rises: Tensor
    best_before: Tensor
    halved: Tensor
    raised: Tensor
    blind: Tensor


@dataclass(frozen=True)
class Apgd(Search[ApgdBatch]):
    """`steps` steps with momentum from a random start. The step size starts at twice eps and is halved when a
    stretch of steps increased the loss too rarely. The search ends at the first misclassified iterate."""

    norm: Norm
    eps: float
    loss: str = "ce"
    steps: int = 100
    name: str = "apgd-ce"

    @property
    def classes(self) -> int:
        return CLASSES_NEEDED[self.loss]

    def start(self, new: NewImages) -> ApgdBatch:
        draw = uniform(new.generators, *new.shape) * 2 - 1 if self.norm == "linf" else None
        noise = normal(new.generators, *new.shape) if draw is None else draw
        first = new.image + self.eps * norms.unit(noise, self.norm).to(new.image)
        at = new.at(first, norms.box(new.image, self.eps, self.norm))
        x, low = at["x"], torch.full_like(at["x"][:, 0, 0, 0], -torch.inf)
        return ApgdBatch(
            **at,
            previous=x,
            best=x.clone(),
            best_gradient=torch.zeros_like(x),
            highest=low,
            value=low,
            stride=torch.full_like(low, 2 * self.eps),
            window=torch.full_like(new.index, self._first_window),
            since=torch.full_like(new.index, -1),
            rises=torch.zeros_like(new.index),
            best_before=low,
            halved=torch.ones_like(at["broken"]),
            raised=torch.zeros_like(at["broken"]),
            blind=torch.zeros_like(at["broken"]),
        )

    @property
    def _first_window(self) -> int:
        """Return the checkpoints of section 3.1: the first at 22% of the steps; stretches then shrink by 3%, to at
        least 6%."""
        return max(int(0.22 * self.steps), 1)

    def wants_gradient(self, batch: ApgdBatch) -> Tensor:
        return batch.step < self.steps

    def objective(self, batch: ApgdBatch, logits: Tensor) -> Tensor:
        return LOSSES[self.loss](logits, batch.label, batch.target)

    def update(self, batch: ApgdBatch, output: ModelOutput) -> Tensor:
        batch.broken = output.wrong(batch.label)
        done = batch.broken | (batch.step >= self.steps)
        value = self.objective(batch, output.logits) if output.objective is None else output.objective
        self._remember(batch, value, output.gradient)
        batch.blind = batch.blind if output.blind is None else batch.blind | output.blind
        if not done.all():
            ahead = self._ahead(batch, output.ascent()[1])
            if done.any():
                ahead[done] = batch.x[done]
            batch.previous, batch.x, batch.step = batch.x, ahead, batch.step + 1
        return done

    def _remember(self, batch: ApgdBatch, value: Tensor, gradient: Tensor | None) -> None:
        batch.rises = batch.rises + ((value > batch.value) & (batch.step > 0))
        batch.since = batch.since + 1
        # The authors' code compares the loss of the first step with 0, where algorithm 1 has the start's.
        batch.value = torch.where(batch.step == 0, 0.0, value)
        better = value > batch.highest
        batch.raised = batch.raised | (better & (batch.step > 0))
        batch.highest = torch.where(better, value, batch.highest)
        rows = better.nonzero().squeeze(1)
        batch.best[rows] = batch.x[rows]
        if gradient is not None:
            batch.best_gradient[rows] = gradient[rows]
        batch.best_before = torch.where(batch.step == 0, value, batch.best_before)

    def _ahead(self, batch: ApgdBatch, gradient: Tensor) -> Tensor:
        """Return the next iterate: from the best one with half the step size if a checkpoint says so, else from x."""
        back = self._checkpoint(batch)
        if back.any():
            batch.x, gradient = batch.x.clone(), gradient.clone()
            batch.x[back], gradient[back] = batch.best[back], batch.best_gradient[back]
        pull = per_image(torch.where(batch.step == 0, 1.0, MOMENTUM))
        step = norms.steepest(gradient, self.norm).mul_(per_image(batch.stride)).add_(batch.x)
        ahead = torch.lerp(batch.x, batch.within(step, self.eps, self.norm), pull)
        ahead.add_(batch.x - batch.previous, alpha=1 - MOMENTUM)  # no momentum yet in the first step: x is previous
        return batch.within(ahead, self.eps, self.norm)

    def _checkpoint(self, batch: ApgdBatch) -> Tensor:
        """Return bool [b]: the step size was halved at this step, by either condition of section 3.2."""
        at = batch.since == batch.window
        seldom = batch.rises <= RHO * batch.window
        stuck = ~batch.halved & (batch.best_before >= batch.highest)
        halve = at & (seldom | stuck)
        batch.stride = torch.where(halve, batch.stride / 2, batch.stride)
        batch.halved = torch.where(at, halve, batch.halved)
        batch.best_before = torch.where(at, batch.highest, batch.best_before)
        shorter = (batch.window - max(int(0.03 * self.steps), 1)).clamp(min=max(int(0.06 * self.steps), 1))
        batch.window = torch.where(at, shorter, batch.window)
        batch.since, batch.rises = batch.since.masked_fill(at, 0), batch.rises.masked_fill(at, 0)
        return halve

    def misled(self, batch: ApgdBatch) -> Tensor:
        return batch.blind | ~batch.raised | faint(batch.best_gradient)

    def result(self, batch: ApgdBatch) -> Tensor:
        return torch.where(per_image(batch.broken), batch.x, batch.best)


def faint(gradient: Tensor) -> Tensor:
    """Return bool [b]: many values of the gradient [b, 3, h, w] are next to nothing beside its largest."""
    size = norms.flat(gradient).abs()
    return (size <= FAINT * size.amax(1, keepdim=True)).float().mean(1) > FAINT_SHARE
