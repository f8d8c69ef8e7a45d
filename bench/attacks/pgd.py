"""Projected gradient descent of a fixed step (arXiv 1706.06083)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import LOSSES
from bench.attacks.norms import per_image
from bench.attacks.randomness import normal, uniform
from bench.attacks.search import Entry, Lanes, Reply, Search


@dataclass
class PgdLanes(Lanes):
    """best: iterate of the highest objective [b, 3, h, w], and that objective [b]; last: int64 [b], final step;
    anchor: an earlier iterate [b, 3, h, w], kept to notice that iterates go round in a cycle; anchored: its step."""

    best: Tensor
    highest: Tensor
    last: Tensor
    anchor: Tensor
    anchored: Tensor


@dataclass(frozen=True)
class Pgd(Search[PgdLanes]):
    """`steps` steps of `step_size` from a random start in the ball (or from the image itself).

    keep "final": the last iterate is judged, whatever came before (as the papers evaluate). An image whose iterates
    go round in a cycle leaves early with the iterate that the last step would reach (arXiv 2503.19347).
    keep "best": the first misclassified iterate ends the search, else the iterate of the highest loss is handed over.
    """

    norm: Norm
    eps: float
    steps: int
    step_size: float
    targeted: bool = False
    random_start: bool = True
    keep: Literal["final", "best"] = "final"
    name: str = "pgd"

    @property
    def stream(self) -> str:
        return "pgd"

    def start(self, entry: Entry) -> PgdLanes:
        at = entry.at(entry.image + self._noise(entry), norms.box(entry.image, self.eps, self.norm))
        return PgdLanes(
            **at, best=at["x"], highest=torch.full_like(at["x"][:, 0, 0, 0], -torch.inf),
            last=torch.full_like(entry.index, self.steps), anchor=at["x"], anchored=torch.zeros_like(entry.index),
        )  # fmt: skip

    def _noise(self, entry: Entry) -> Tensor:
        """Uniform in the ball: [b, 3, h, w]."""
        if not self.random_start:
            return torch.zeros_like(entry.image)
        if self.norm == "linf":
            return ((uniform(entry.generators, *entry.shape) * 2 - 1) * self.eps).to(entry.image)
        direction = norms.unit(normal(entry.generators, *entry.shape), "l2")
        radius = uniform(entry.generators).pow(1 / entry.image[0].numel())
        return (direction * per_image(radius * self.eps)).to(entry.image)

    def wants_gradient(self, lanes: PgdLanes) -> Tensor:
        return lanes.step < self.steps

    def objective(self, lanes: PgdLanes, logits: Tensor) -> Tensor:
        return LOSSES["ce-targeted" if self.targeted else "ce"](logits, lanes.label, lanes.target)

    def update(self, lanes: PgdLanes, reply: Reply) -> Tensor:
        if self.keep == "best":
            return self._update_best(lanes, reply)
        self._ascend(lanes, reply, torch.ones_like(lanes.broken))
        self._skip_cycles(lanes)
        lanes.broken = lanes.step >= lanes.last
        return lanes.broken

    def _update_best(self, lanes: PgdLanes, reply: Reply) -> Tensor:
        lanes.broken = reply.wrong(lanes.label)
        value = self.objective(lanes, reply.logits)
        better = lanes.broken | (value > lanes.highest)
        lanes.best = torch.where(per_image(better), lanes.x, lanes.best)
        lanes.highest = torch.where(better, value, lanes.highest)
        done = lanes.broken | (lanes.step >= lanes.last)
        if not done.all():
            self._ascend(lanes, reply, ~done)
        return done

    def _ascend(self, lanes: PgdLanes, reply: Reply, moving: Tensor) -> None:
        if reply.gradient is None:
            return
        ahead = lanes.x.add(norms.steepest(reply.gradient, self.norm), alpha=self.step_size)
        ahead = lanes.within(ahead, self.eps, self.norm)
        lanes.x = ahead if moving.all() else torch.where(per_image(moving), ahead, lanes.x)
        lanes.step = lanes.step + moving

    def _skip_cycles(self, lanes: PgdLanes) -> None:
        """Steps depend on the iterate alone: once it returns to `anchor`, only the remainder of whole rounds counts."""
        same = (lanes.x == lanes.anchor).flatten(1).all(1)
        period = (lanes.step - lanes.anchored).clamp(min=1)
        lanes.last = torch.where(same, lanes.step + (lanes.last - lanes.step) % period, lanes.last)
        # Brent's rule: the anchor moves on at powers of two, so that a round of any length is met in time.
        fresh = (lanes.step & (lanes.step - 1)) == 0
        lanes.anchor = torch.where(per_image(fresh), lanes.x, lanes.anchor)
        lanes.anchored = torch.where(fresh, lanes.step, lanes.anchored)

    def result(self, lanes: PgdLanes) -> Tensor:
        return lanes.best if self.keep == "best" else lanes.x
