"""Iterated gradient signs with momentum (Dong et al., arXiv 1710.06081): MI-FGSM, and MI-PGD from a random start."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.losses import LOSSES
from bench.attacks.randomness import uniform
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search

DECAY = 1.0
"""mu of algorithm 1; that of the paper's experiments, and of NoFrost's `test.py`."""


@dataclass
class MomentumBatch(ActiveBatch):
    """velocity: the decayed sum of gradients of L1 norm 1, [b, 3, h, w]."""

    velocity: Tensor


@dataclass(frozen=True)
class MomentumPgd(Search[MomentumBatch]):
    """`steps` steps of `step_size` along the sign of the velocity, in Linf; evaluated at the final iterate."""

    eps: float
    steps: int
    step_size: float
    random_start: bool
    name: str

    @property
    def stream(self) -> str:
        return "pgd"

    def start(self, new: NewImages) -> MomentumBatch:
        first = new.image
        if self.random_start:
            first = first + ((uniform(new.generators, *new.shape) * 2 - 1) * self.eps).to(new.image)
        at = new.at(first, norms.box(new.image, self.eps, "linf"))
        return MomentumBatch(**at, velocity=torch.zeros_like(at["x"]))

    def wants_gradient(self, batch: MomentumBatch) -> Tensor:
        return batch.step < self.steps

    def objective(self, batch: MomentumBatch, logits: Tensor) -> Tensor:
        return LOSSES["ce"](logits, batch.label, batch.target)

    def update(self, batch: MomentumBatch, output: ModelOutput) -> Tensor:
        _, gradient = output.ascent()
        batch.velocity = batch.velocity * DECAY + norms.unit(gradient, "l1")
        batch.x = batch.within(batch.x + self.step_size * batch.velocity.sign(), self.eps, "linf")
        batch.step = batch.step + 1
        batch.broken = batch.step >= self.steps
        return batch.broken
