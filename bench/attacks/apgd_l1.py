"""Auto-PGD for L1 (Croce and Hein, arXiv 2103.01208, section 4): sparse steps, and a radius that shrinks to eps."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.apgd import faint
from bench.attacks.losses import CLASSES_NEEDED, LOSSES
from bench.attacks.norms import per_image
from bench.attacks.randomness import normal
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search

STAGES = ((3, 0.3), (2, 0.3), (1, 0.4))
"""Radius in eps, and share of the steps, of each stage (section 4.3); each stage starts from the end of the previous
one."""

PERIOD = 0.04
"""Share of a stage's steps between two checkpoints."""

SPARSER = 1.5
"""The factor by which a step moves fewer values than the best iterate, and the divisor of a step size."""

LEAST = 10.0
"""The minimum step size is the radius divided by this."""


@dataclass
class ApgdL1Batch(ActiveBatch):
    """best: the stage's iterate of the highest objective [b, 3, h, w], its gradient, and the objective [b]
    stage: int64 [b], which of the stages; made: int64 [b], steps made of it; since: int64 [b], since the checkpoint
    stride: step size [b]; share: share of the values that a step moves [b]; moved: int64 [b], how many values `best`
    had moved at the last checkpoint
    raised: bool [b], a step led above the objective at the start of its stage; blind: bool [b], a gradient was zero or
    not finite."""

    best: Tensor
    best_gradient: Tensor
    highest: Tensor
    stage: Tensor
    made: Tensor
    since: Tensor
    stride: Tensor
    share: Tensor
    moved: Tensor
    raised: Tensor
    blind: Tensor


@dataclass(frozen=True)
class ApgdL1(Search[ApgdL1Batch]):
    """`steps` steps in three stages from a random start; ends at the first misclassified iterate of the last stage.

    The authors' code projects with a rounding error that leaves values moved by 1e-8. Here they return exactly, so that
    the count of moved values, which sets the sparsity of the next steps, is the paper's.
    """

    eps: float
    loss: str = "ce"
    steps: int = 100
    name: str = "apgd-ce"

    @property
    def classes(self) -> int:
        return CLASSES_NEEDED[self.loss]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Return the steps of each stage."""
        early = [math.ceil(share * self.steps) for _, share in STAGES[:-1]]
        return (*early, self.steps - sum(early))

    def start(self, new: NewImages) -> ApgdL1Batch:
        noise = normal(new.generators, *new.shape).to(new.image)
        at = new.at(new.image, norms.anywhere(new.image))
        at["x"] = norms.into_l1(new.image + noise, new.image, STAGES[0][0] * self.eps)
        zero = torch.zeros_like(new.index)
        low = torch.full_like(at["x"][:, 0, 0, 0], -torch.inf)
        batch = ApgdL1Batch(
            **at,
            best=at["x"].clone(),
            best_gradient=torch.zeros_like(at["x"]),
            highest=low,
            stage=zero,
            made=zero,
            since=zero,
            stride=low,
            share=low,
            moved=zero,
            raised=torch.zeros_like(at["broken"]),
            blind=torch.zeros_like(at["broken"]),
        )
        self._enter(batch, torch.ones_like(batch.broken))
        return batch

    def wants_gradient(self, batch: ApgdL1Batch) -> Tensor:
        return ~self._last(batch)

    def objective(self, batch: ApgdL1Batch, logits: Tensor) -> Tensor:
        return LOSSES[self.loss](logits, batch.label, batch.target)

    def update(self, batch: ApgdL1Batch, output: ModelOutput) -> Tensor:
        batch.broken = output.wrong(batch.label) & (batch.stage == len(STAGES) - 1)
        done = batch.broken | self._last(batch)
        value = self.objective(batch, output.logits) if output.objective is None else output.objective
        self._remember(batch, value, output.gradient)
        batch.blind = batch.blind if output.blind is None else batch.blind | output.blind
        over = (batch.made >= self._per_stage(batch, self.lengths)) & ~done
        moving = ~over & ~done
        if moving.any():
            self._step(batch, output.ascent()[1], moving)
        if over.any():
            self._next_stage(batch, over)
        return done

    def _remember(self, batch: ApgdL1Batch, value: Tensor, gradient: Tensor | None) -> None:
        better = value > batch.highest
        batch.raised = batch.raised | (better & (batch.made > 0))
        batch.highest = torch.where(better, value, batch.highest)
        rows = better.nonzero().squeeze(1)
        batch.best[rows] = batch.x[rows]
        if gradient is not None:
            batch.best_gradient[rows] = gradient[rows]

    def _step(self, batch: ApgdL1Batch, gradient: Tensor, moving: Tensor) -> None:
        """Advance the rows of `moving`, from the best iterate if a checkpoint finds that it has become sparser."""
        back = self._checkpoint(batch, moving)
        x = torch.where(per_image(back), batch.best, batch.x)
        gradient = torch.where(per_image(back), batch.best_gradient, gradient)
        ahead = x + per_image(batch.stride) * norms.unit(self._sparse(batch, gradient), "l1")
        batch.x = torch.where(per_image(moving), self._project(batch, ahead), batch.x)
        batch.made, batch.step = batch.made + moving, batch.step + moving

    def _checkpoint(self, batch: ApgdL1Batch, moving: Tensor) -> Tensor:
        """Return bool [b]: the rows with a best iterate that moves at least 5 % fewer values than at the last
        checkpoint."""
        batch.since = batch.since + (moving & (batch.made > 0))
        period = torch.tensor([max(int(PERIOD * length), 1) for length in self.lengths], device=batch.since.device)
        at = moving & (batch.since == period[batch.stage])
        if not at.any():
            return at
        now, radius = moved(batch.best, batch.image), self._radius(batch)
        sparser = at & (now / batch.moved < 0.95)
        smaller = torch.maximum(batch.stride / SPARSER, radius / LEAST)
        batch.stride = torch.where(at, torch.where(sparser, radius, smaller), batch.stride)
        batch.share = torch.where(at, now / batch.image[0].numel() / SPARSER, batch.share)
        batch.moved = torch.where(at, now, batch.moved)
        batch.since = batch.since.masked_fill(at, 0)
        return sparser

    def _sparse(self, batch: ApgdL1Batch, gradient: Tensor) -> Tensor:
        """Return the sign of the gradient at its largest values (`batch.share` of them), and zero elsewhere."""
        size = norms.flat(gradient).abs()
        values = size.shape[1]
        chosen = values - ((1 - batch.share) * values).clamp(0, values - 1).long()
        least = size.topk(int(chosen.max()), dim=1).values.gather(1, chosen[:, None] - 1).squeeze(1)
        return gradient.sign() * (gradient.abs() >= per_image(least))

    def _next_stage(self, batch: ApgdL1Batch, over: Tensor) -> None:
        batch.stage = batch.stage + over
        batch.x = torch.where(per_image(over), self._project(batch, batch.best), batch.x)
        batch.highest = batch.highest.masked_fill(over, -torch.inf)
        batch.made, batch.since = batch.made.masked_fill(over, 0), batch.since.masked_fill(over, 0)
        self._enter(batch, over)

    def _enter(self, batch: ApgdL1Batch, rows: Tensor) -> None:
        """Set the sparsity and the step size of `rows` from the start of their stage."""
        now = moved(batch.x, batch.image)
        batch.moved = torch.where(rows, now, batch.moved)
        batch.share = torch.where(rows, now / batch.image[0].numel() / SPARSER, batch.share)
        batch.stride = torch.where(rows, self._radius(batch), batch.stride)

    def _project(self, batch: ApgdL1Batch, x: Tensor) -> Tensor:
        """Project `x` into each row's radius, one stage after the other."""
        out = x
        for stage, (radius, _) in enumerate(STAGES):
            rows = (batch.stage == stage).nonzero().squeeze(1)
            if len(rows) == len(x):
                return norms.into_l1(x, batch.image, radius * self.eps)
            if len(rows):
                out = out.clone() if out is x else out
                out[rows] = norms.into_l1(x[rows], batch.image[rows], radius * self.eps)
        return out

    def _radius(self, batch: ApgdL1Batch) -> Tensor:
        return self.eps * self._per_stage(batch, [radius for radius, _ in STAGES]).to(batch.stride)

    def _per_stage(self, batch: ApgdL1Batch, values: "tuple[int, ...] | list[int]") -> Tensor:
        return torch.tensor(values, device=batch.stage.device)[batch.stage]

    def _last(self, batch: ApgdL1Batch) -> Tensor:
        """Return bool [b]: x is the last iterate."""
        return (batch.stage == len(STAGES) - 1) & (batch.made >= self.lengths[-1])

    def misled(self, batch: ApgdL1Batch) -> Tensor:
        return batch.blind | ~batch.raised | faint(batch.best_gradient)

    def result(self, batch: ApgdL1Batch) -> Tensor:
        return torch.where(per_image(batch.broken), batch.x, batch.best)


def moved(x: Tensor, image: Tensor) -> Tensor:
    """Return int64 [b]: how many values of each image differ from the clean image."""
    return (norms.flat(x) != norms.flat(image)).sum(1)
