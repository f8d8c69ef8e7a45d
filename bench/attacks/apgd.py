"""Auto-PGD (Croce and Hein, arXiv 2003.01690, section 3 and algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import CLASSES_NEEDED, LOSSES
from bench.attacks.norms import per_image
from bench.attacks.randomness import normal, uniform
from bench.attacks.search import Entry, Lanes, Reply, Search

MOMENTUM = 0.75
RHO = 0.75
"""alpha and rho of algorithm 1."""


@dataclass
class ApgdLanes(Lanes):
    """previous: the iterate before x; best: that of the highest objective, its gradient, and the objective [b]
    value: objective at x [b]; stride: step size [b]; window, since: int64 [b], length of this stretch between two
    checkpoints and steps made of it; rises: int64 [b], how many of these raised the objective
    best_before: `highest` at the last checkpoint [b]; halved: bool [b], whether the step size was halved there."""

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


@dataclass(frozen=True)
class Apgd(Search[ApgdLanes]):
    """`steps` steps with momentum from a random start; the step size, at first twice eps, is halved whenever a stretch
    of steps raised the loss too seldom. Ends at the first misclassified iterate."""

    norm: Norm
    eps: float
    loss: str = "ce"
    steps: int = 100
    name: str = "apgd-ce"

    @property
    def classes(self) -> int:
        return CLASSES_NEEDED[self.loss]

    def start(self, entry: Entry) -> ApgdLanes:
        draw = uniform(entry.generators, *entry.shape) * 2 - 1 if self.norm == "linf" else None
        noise = normal(entry.generators, *entry.shape) if draw is None else draw
        first = entry.image + self.eps * norms.unit(noise, self.norm).to(entry.image)
        at = entry.at(first, norms.box(entry.image, self.eps, self.norm))
        x, low = at["x"], torch.full_like(at["x"][:, 0, 0, 0], -torch.inf)
        return ApgdLanes(
            **at, previous=x, best=x.clone(), best_gradient=torch.zeros_like(x), highest=low, value=low,
            stride=torch.full_like(low, 2 * self.eps), window=torch.full_like(entry.index, self._first_window),
            since=torch.full_like(entry.index, -1), rises=torch.zeros_like(entry.index), best_before=low,
            halved=torch.ones_like(at["broken"]),
        )  # fmt: skip

    @property
    def _first_window(self) -> int:
        """Section 3.1: the first checkpoint is at 22% of the steps; stretches then shrink by 3%, to 6% at the least."""
        return max(int(0.22 * self.steps), 1)

    def wants_gradient(self, lanes: ApgdLanes) -> Tensor:
        return lanes.step < self.steps

    def objective(self, lanes: ApgdLanes, logits: Tensor) -> Tensor:
        return LOSSES[self.loss](logits, lanes.label, lanes.target)

    def update(self, lanes: ApgdLanes, reply: Reply) -> Tensor:
        lanes.broken = reply.wrong(lanes.label)
        done = lanes.broken | (lanes.step >= self.steps)
        value = self.objective(lanes, reply.logits) if reply.objective is None else reply.objective
        gradient = torch.zeros_like(lanes.x) if reply.gradient is None else reply.gradient
        self._remember(lanes, value, gradient)
        if not done.all():
            ahead = self._ahead(lanes, gradient)
            if done.any():
                ahead[done] = lanes.x[done]
            lanes.previous, lanes.x, lanes.step = lanes.x, ahead, lanes.step + 1
        return done

    def _remember(self, lanes: ApgdLanes, value: Tensor, gradient: Tensor) -> None:
        lanes.rises = lanes.rises + ((value > lanes.value) & (lanes.step > 0))
        lanes.since = lanes.since + 1
        # The authors' code compares the loss of the first step with 0, where algorithm 1 has the start's.
        lanes.value = torch.where(lanes.step == 0, 0.0, value)
        better = value > lanes.highest
        lanes.highest = torch.where(better, value, lanes.highest)
        rows = better.nonzero().squeeze(1)
        lanes.best[rows] = lanes.x[rows]
        lanes.best_gradient[rows] = gradient[rows]
        lanes.best_before = torch.where(lanes.step == 0, value, lanes.best_before)

    def _ahead(self, lanes: ApgdLanes, gradient: Tensor) -> Tensor:
        """The next iterate: from the best one with half the step size where a checkpoint says so, else from x."""
        back = self._checkpoint(lanes)
        if back.any():
            lanes.x, gradient = lanes.x.clone(), gradient.clone()
            lanes.x[back], gradient[back] = lanes.best[back], lanes.best_gradient[back]
        pull = per_image(torch.where(lanes.step == 0, 1.0, MOMENTUM))
        step = norms.steepest(gradient, self.norm).mul_(per_image(lanes.stride)).add_(lanes.x)
        ahead = torch.lerp(lanes.x, lanes.within(step, self.eps, self.norm), pull)
        ahead.add_(lanes.x - lanes.previous, alpha=1 - MOMENTUM)  # no momentum yet in the first step: x is previous
        return lanes.within(ahead, self.eps, self.norm)

    def _checkpoint(self, lanes: ApgdLanes) -> Tensor:
        """bool [b]: the step size was halved now, by either of the two conditions of section 3.2."""
        at = lanes.since == lanes.window
        seldom = lanes.rises <= RHO * lanes.window
        stuck = ~lanes.halved & (lanes.best_before >= lanes.highest)
        halve = at & (seldom | stuck)
        lanes.stride = torch.where(halve, lanes.stride / 2, lanes.stride)
        lanes.halved = torch.where(at, halve, lanes.halved)
        lanes.best_before = torch.where(at, lanes.highest, lanes.best_before)
        shorter = (lanes.window - max(int(0.03 * self.steps), 1)).clamp(min=max(int(0.06 * self.steps), 1))
        lanes.window = torch.where(at, shorter, lanes.window)
        lanes.since, lanes.rises = lanes.since.masked_fill(at, 0), lanes.rises.masked_fill(at, 0)
        return halve

    def result(self, lanes: ApgdLanes) -> Tensor:
        return torch.where(per_image(lanes.broken), lanes.x, lanes.best)
