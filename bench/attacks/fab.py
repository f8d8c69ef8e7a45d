"""Fast adaptive boundary attack, targeted (Croce and Hein, arXiv 1907.02044, algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import take
from bench.attacks.norms import per_image
from bench.attacks.plane import fab_step
from bench.attacks.search import Entry, Lanes, Reply, Search

BETA = 0.9
"""Backward step: section 3.1 of the paper, its Linf and L2 value."""


@dataclass
class FabLanes(Lanes):
    """judging: bool [b], x is a candidate whose prediction counts (else only its gradient is wanted)
    expects: bool [b], the last candidate was adversarial, so that the next will probably be, and needs no gradient."""

    judging: Tensor
    expects: Tensor


@dataclass(frozen=True)
class Fab(Search[FabLanes]):
    """Steps onto the decision boundary towards one target class, linearised, kept near the image; ends at the first
    adversarial image within eps.

    The original asks the network three times a step: for the gradient, and whether the candidate is adversarial. Where
    it is not, its gradient is what the next step needs, so one question answers both; only where an adversarial
    candidate is expected (it is moved back before the next step) is it judged first without a gradient.
    """

    norm: Norm
    eps: float
    steps: int = 100
    name: str = "fab-t"

    def start(self, entry: Entry) -> FabLanes:
        no = torch.zeros_like(entry.index, dtype=torch.bool)
        return FabLanes(**entry.at(entry.image, norms.anywhere(entry.image)), judging=no, expects=no)

    def wants_gradient(self, lanes: FabLanes) -> Tensor:
        return ~lanes.judging | (~lanes.expects & (lanes.step < self.steps))

    def objective(self, lanes: FabLanes, logits: Tensor) -> Tensor:
        return take(logits, lanes.target) - take(logits, lanes.label)

    def update(self, lanes: FabLanes, reply: Reply) -> Tensor:
        adversarial = lanes.judging & reply.wrong(lanes.label)
        lanes.broken = adversarial & self._near(lanes, adversarial)
        done = lanes.broken | (lanes.judging & (lanes.step >= self.steps))
        lanes.expects = torch.where(lanes.judging, adversarial, lanes.expects)
        stepping = ~adversarial & ~done & (reply.gradient is not None)
        before = lanes.x
        if reply.gradient is not None and reply.objective is not None:
            lanes.x = fab_step(before, lanes.image, reply.gradient, reply.objective, self.norm)
        if (still := ~stepping).any():
            back = per_image(torch.where(adversarial & ~lanes.broken, BETA, 1.0)[still])
            lanes.x[still] = torch.lerp(lanes.image[still], before[still], back)
        lanes.step = lanes.step + stepping
        lanes.judging = stepping | done
        return done

    def _near(self, lanes: FabLanes, asked: Tensor) -> Tensor:
        """bool [b]: of the lanes in `asked`, whether x lies within eps; False of the others."""
        rows, near = asked.nonzero().squeeze(1), torch.zeros_like(asked)
        if len(rows):
            near[rows] = norms.size(lanes.x[rows] - lanes.image[rows], self.norm) <= self.eps
        return near

    def result(self, lanes: FabLanes) -> Tensor:
        """The boundary may lie outside the ball; what is handed over lies within it."""
        return norms.project(lanes.x, lanes.image, self.eps, self.norm)
