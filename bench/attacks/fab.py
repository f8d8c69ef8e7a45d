"""Fast adaptive boundary attack, targeted (Croce and Hein, arXiv 1907.02044, algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import take
from bench.attacks.norms import per_image
from bench.attacks.plane import fab_step
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search

BETA = 0.9
"""Backward step: section 3.1 of the paper, for all three norms."""


@dataclass
class FabBatch(ActiveBatch):
    """judging: bool [b], x is a candidate and its prediction counts (else only its gradient is needed)
    expects: bool [b], the last candidate was adversarial, so the next one probably is and needs no gradient
    """

    judging: Tensor
    expects: Tensor


@dataclass(frozen=True)
class Fab(Search[FabBatch]):
    """Steps onto the linearised decision boundary towards one target class, kept near the image; ends at the first
    adversarial image within eps.

    The original calls the network three times per step: for the gradient, and to test whether the candidate is
    adversarial. If the candidate is not adversarial, its gradient is the one that the next step needs, so one call
    serves both. Only if an adversarial candidate is expected (it is moved back before the next step) is it tested first
    without a gradient.
    """

    norm: Norm
    eps: float
    steps: int = 100
    name: str = "fab-t"

    def start(self, new: NewImages) -> FabBatch:
        no = torch.zeros_like(new.index, dtype=torch.bool)
        return FabBatch(**new.at(new.image, norms.anywhere(new.image)), judging=no, expects=no)

    def wants_gradient(self, batch: FabBatch) -> Tensor:
        return ~batch.judging | (~batch.expects & (batch.step < self.steps))

    def objective(self, batch: FabBatch, logits: Tensor) -> Tensor:
        return take(logits, batch.target) - take(logits, batch.label)

    def update(self, batch: FabBatch, output: ModelOutput) -> Tensor:
        adversarial = batch.judging & output.wrong(batch.label)
        batch.broken = adversarial & self._near(batch, adversarial)
        done = batch.broken | (batch.judging & (batch.step >= self.steps))
        batch.expects = torch.where(batch.judging, adversarial, batch.expects)
        stepping = ~adversarial & ~done & (output.gradient is not None)
        before = batch.x
        if output.gradient is not None and output.objective is not None:
            batch.x = fab_step(before, batch.image, output.gradient, output.objective, self.norm)
        if (still := ~stepping).any():
            back = per_image(torch.where(adversarial & ~batch.broken, BETA, 1.0)[still])
            batch.x[still] = torch.lerp(batch.image[still], before[still], back)
        batch.step = batch.step + stepping
        batch.judging = stepping | done
        return done

    def _near(self, batch: FabBatch, asked: Tensor) -> Tensor:
        """Return bool [b]: for rows of the batch in `asked`, whether x is within eps; False for the others."""
        rows, near = asked.nonzero().squeeze(1), torch.zeros_like(asked)
        if len(rows):
            near[rows] = norms.size(batch.x[rows] - batch.image[rows], self.norm) <= self.eps
        return near

    def result(self, batch: FabBatch) -> Tensor:
        """Return points within the ball; the boundary may be outside it."""
        return norms.project(batch.x, batch.image, self.eps, self.norm)
