"""Fast adaptive boundary attack, targeted (Croce and Hein, arXiv 1907.02044, algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import take
from bench.attacks.norms import per_image
from bench.attacks.search import Entry, Lanes, Reply, Search

ALPHA_MAX = 0.1
ETA = 1.05
BETA = 0.9
"""Bias towards the image, overshoot and backward step: section 3.1 of the paper, its Linf and L2 values."""

_ROUNDS = 64
"""Bound on Newton steps of the projection, far above the handful that it takes."""


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
        return FabLanes(**entry.at(entry.image), judging=no, expects=no)

    def wants_gradient(self, lanes: FabLanes) -> Tensor:
        return ~lanes.judging | (~lanes.expects & (lanes.step < self.steps))

    def objective(self, lanes: FabLanes, logits: Tensor) -> Tensor:
        return take(logits, lanes.target) - take(logits, lanes.label)

    def update(self, lanes: FabLanes, reply: Reply) -> Tensor:
        adversarial = lanes.judging & reply.wrong(lanes.label)
        lanes.broken = adversarial & (norms.size(lanes.x - lanes.image, self.norm) <= self.eps)
        done = lanes.broken | (lanes.judging & (lanes.step >= self.steps))
        lanes.expects = torch.where(lanes.judging, adversarial, lanes.expects)
        back = per_image(adversarial & ~lanes.broken)
        if reply.gradient is None or reply.objective is None:
            stepping = torch.zeros_like(adversarial)
        else:
            stepping = ~adversarial & ~done
            ahead = self._step(lanes, reply.objective, reply.gradient)
            lanes.x = torch.where(per_image(stepping), ahead, lanes.x)
        lanes.x = torch.where(back, lanes.image + BETA * (lanes.x - lanes.image), lanes.x)
        lanes.step = lanes.step + stepping
        lanes.judging = stepping | done
        return done

    def _step(self, lanes: FabLanes, difference: Tensor, gradient: Tensor) -> Tensor:
        """The next candidate: from x and from the image onto the boundary, mixed by how far each has to go (eq. 7)."""
        to_x = onto_plane(lanes.x, gradient, difference, self.norm)
        gap = difference + (gradient * (lanes.image - lanes.x)).flatten(1).sum(1)
        to_image = onto_plane(lanes.image, gradient, gap, self.norm)
        near, far = (norms.size(d, self.norm).clamp(min=1e-8) for d in (to_x, to_image))
        alpha = per_image((near / (near + far)).clamp(max=ALPHA_MAX))
        return ((lanes.x + ETA * to_x) * (1 - alpha) + (lanes.image + ETA * to_image) * alpha).clamp(0.0, 1.0)

    def result(self, lanes: FabLanes) -> Tensor:
        """The boundary may lie outside the ball; what is handed over lies within it."""
        return norms.project(lanes.x, lanes.image, self.eps, self.norm)


def onto_plane(x: Tensor, normal: Tensor, gap: Tensor, norm: Norm) -> Tensor:
    """Smallest d with <normal, d> + gap = 0 and x + d in [0, 1]; as near as [0, 1] allows where there is none.

    x, normal, d: [n, 3, h, w]; gap: [n]. Section 3.1 of the paper sorts the coordinates. Here d moves them together
    with speed 1 (Linf) or |normal| (L2), each up to its bound, and the time at which the plane is reached is the root
    of an increasing, concave, piecewise linear function: Newton's method from the left ends at it exactly.
    """
    shape, x, normal = x.shape, x.flatten(1), normal.flatten(1)
    weight = normal.abs()
    way = -gap.sign()[:, None] * normal.sign()
    room = torch.where(way > 0, 1 - x, x)
    speed = torch.ones_like(weight) if norm == "linf" else weight
    pull, reach = weight * speed, weight * room
    free, time = weight > 0, torch.zeros_like(gap)[:, None]
    for _ in range(_ROUNDS):
        # Where nothing is left free the plane is out of reach, and time is infinite.
        time = (gap.abs() - (reach * ~free).sum(1)).div((pull * free).sum(1))[:, None].nan_to_num(nan=torch.inf)
        still = free & (time * speed < room)
        if torch.equal(still, free):
            break
        free = still
    return (way * torch.where(free, time * speed, room)).view(shape)
