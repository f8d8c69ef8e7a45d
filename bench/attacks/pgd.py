"""Projected gradient descent with a fixed step (arXiv 1706.06083)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import CLASSES_NEEDED, LOSSES
from bench.attacks.norms import per_image
from bench.attacks.randomness import normal, uniform
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search


@dataclass
class PgdBatch(ActiveBatch):
    """best: iterate of the highest objective [b, 3, h, w], and that objective [b]; last: int64 [b], final step;
    anchor: an earlier iterate [b, 3, h, w], used to detect cycles; anchored: its step."""

    best: Tensor
    highest: Tensor
    last: Tensor
    anchor: Tensor
    anchored: Tensor


@dataclass(frozen=True)
class Pgd(Search[PgdBatch]):
    """`steps` steps of `step_size` from a random start in the ball (or from the clean image).

    keep "final": the last iterate is evaluated, as in the papers. An image with iterates that repeat leaves early with
    the iterate that the last step would reach (arXiv 2503.19347).
    keep "best": the first misclassified iterate ends the search; otherwise the iterate of the highest loss is returned.
    """

    norm: Norm
    eps: float
    steps: int
    step_size: float
    targeted: bool = False
    random_start: bool = True
    keep: Literal["final", "best"] = "final"
    name: str = "pgd"
    loss: str = "ce"

    @property
    def stream(self) -> str:
        return "pgd"

    @property
    def classes(self) -> int:
        return CLASSES_NEEDED[self.loss]

    def start(self, new: NewImages) -> PgdBatch:
        at = new.at(new.image + self._noise(new), norms.box(new.image, self.eps, self.norm))
        return PgdBatch(
            **at,
            best=at["x"],
            highest=torch.full_like(at["x"][:, 0, 0, 0], -torch.inf),
            last=torch.full_like(new.index, self.steps),
            anchor=at["x"],
            anchored=torch.zeros_like(new.index),
        )

    def _noise(self, new: NewImages) -> Tensor:
        """Return points uniform in the ball: [b, 3, h, w]."""
        if not self.random_start:
            return torch.zeros_like(new.image)
        if self.norm == "linf":
            return ((uniform(new.generators, *new.shape) * 2 - 1) * self.eps).to(new.image)
        direction = norms.unit(normal(new.generators, *new.shape), "l2")
        radius = uniform(new.generators).pow(1 / new.image[0].numel())
        return (direction * per_image(radius * self.eps)).to(new.image)

    def wants_gradient(self, batch: PgdBatch) -> Tensor:
        return batch.step < self.steps

    def objective(self, batch: PgdBatch, logits: Tensor) -> Tensor:
        return LOSSES["ce-targeted" if self.targeted else self.loss](logits, batch.label, batch.target)

    def update(self, batch: PgdBatch, output: ModelOutput) -> Tensor:
        if self.keep == "best":
            return self._update_best(batch, output)
        self._ascend(batch, output, torch.ones_like(batch.broken))
        self._skip_cycles(batch)
        batch.broken = batch.step >= batch.last
        return batch.broken

    def _update_best(self, batch: PgdBatch, output: ModelOutput) -> Tensor:
        batch.broken = output.wrong(batch.label)
        value = self.objective(batch, output.logits)
        better = batch.broken | (value > batch.highest)
        batch.best = torch.where(per_image(better), batch.x, batch.best)
        batch.highest = torch.where(better, value, batch.highest)
        done = batch.broken | (batch.step >= batch.last)
        if not done.all():
            self._ascend(batch, output, ~done)
        return done

    def _ascend(self, batch: PgdBatch, output: ModelOutput, moving: Tensor) -> None:
        if output.gradient is None:
            return
        ahead = batch.x.add(norms.steepest(output.gradient, self.norm), alpha=self.step_size)
        ahead = batch.within(ahead, self.eps, self.norm)
        batch.x = ahead if moving.all() else torch.where(per_image(moving), ahead, batch.x)
        batch.step = batch.step + moving

    def _skip_cycles(self, batch: PgdBatch) -> None:
        """Shorten the search of images that returned to `anchor`: steps depend only on the iterate, so only the
        remainder of whole cycles counts."""
        same = (batch.x == batch.anchor).flatten(1).all(1)
        period = (batch.step - batch.anchored).clamp(min=1)
        batch.last = torch.where(same, batch.step + (batch.last - batch.step) % period, batch.last)
        # Brent's rule: the anchor moves on at powers of two, so that a round of any length is met in time.
        fresh = (batch.step & (batch.step - 1)) == 0
        batch.anchor = torch.where(per_image(fresh), batch.x, batch.anchor)
        batch.anchored = torch.where(fresh, batch.step, batch.anchored)

    def result(self, batch: PgdBatch) -> Tensor:
        return batch.best if self.keep == "best" else batch.x
