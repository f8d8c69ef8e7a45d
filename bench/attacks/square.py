"""Square Attack: random search without gradients (Andriushchenko et al., arXiv 1912.00049)."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import margin
from bench.attacks.randomness import signs, uniform
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search
from bench.attacks.squares import Squares, paint
from bench.attacks.windows import Bumps, Windows, bumps, move, settle, tiles

P_INIT = 0.8
SCHEDULE = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Share of pixels in the first square, and the queries at which it halves (section 5, for 10,000 queries)."""

AT_ONCE = 4
"""Maximum number of proposals per image in a pass: about one in twenty is accepted, and later ones are then wasted."""


@dataclass
class SquareBatch(ActiveBatch):
    """best: image of the lowest margin so far, and that margin [b]; draws: float32 [b, queries, d], uniform in [0, 1),
    the random numbers of every step."""

    best: Tensor
    lowest: Tensor
    draws: Tensor


@dataclass(frozen=True)
class Square(Search[SquareBatch]):
    """`queries` random squares (Linf) or pairs of windows (L2, L1), each accepted if it lowers the margin.

    Ends at the first misclassification. The schedule of sizes is that of 10,000 queries for any number of queries, as
    in AutoAttack, unless `rescale` spreads it over the given number.
    """

    norm: Norm
    eps: float
    queries: int = 5000
    rescale: bool = False
    name: str = "square"

    @property
    def gradients(self) -> bool:
        return False

    def start(self, new: NewImages) -> SquareBatch:
        c, h, w = new.shape
        if self.norm == "linf":
            first = new.image + self.eps * signs(new.generators, c, 1, w).to(new.image)
        else:
            first = settle(new.image, tiles(new.generators, c, h, w, self.norm).to(new.image), self.eps, self.norm)
        at = new.at(first, norms.box(new.image, self.eps, self.norm))
        draws = uniform(new.generators, self.queries, 2 + c if self.norm == "linf" else 5 + c)
        lowest = torch.full_like(at["x"][:, 0, 0, 0], torch.inf)
        return SquareBatch(**at, best=at["x"].clone(), lowest=lowest, draws=draws.to(new.image))

    def wants_gradient(self, batch: SquareBatch) -> Tensor:
        return torch.zeros_like(batch.broken)

    def objective(self, batch: SquareBatch, logits: Tensor) -> Tensor:
        return -margin(logits, batch.label)

    def points(self, batch: SquareBatch, most: int) -> Tensor:
        """Return as many of the next proposals as there is room for. Most are rejected, so the next one is then
        unchanged; those after the first accepted one are wasted."""
        count = min(most, AT_ONCE)
        ahead = torch.arange(count, device=batch.step.device)
        made = batch.step[:, None] + ahead - 1
        row = torch.arange(len(batch), device=batch.step.device).repeat_interleave(count)
        x = self._proposals(batch, row, made.clamp(0, self.queries - 1).flatten())
        starting = (batch.step == 0).nonzero().squeeze(1)
        x[starting * count] = batch.x[starting]
        return x

    def update(self, batch: SquareBatch, output: ModelOutput) -> Tensor:
        count = len(output.logits) // len(batch)
        label = batch.label.repeat_interleave(count)
        value, wrong = (own.view(-1, count) for own in (margin(output.logits, label), output.wrong(label)))
        asked = (self.queries + 1 - batch.step).clamp(max=count)
        place = torch.arange(count, device=asked.device)
        better = (wrong | (value < batch.lowest[:, None])) & (place < asked[:, None])
        used = torch.where(better.any(1), better.long().argmax(1) + 1, asked)
        rows = better.any(1).nonzero().squeeze(1)
        taken = rows * count + used[rows] - 1
        batch.best[rows], batch.lowest[rows] = output.points[taken], value.flatten()[taken]
        batch.broken = torch.zeros_like(batch.broken)
        batch.broken[rows] = wrong.flatten()[taken]
        batch.step, batch.passes = batch.step + used, batch.passes + used - 1
        return batch.broken | (batch.step > self.queries)

    def result(self, batch: SquareBatch) -> Tensor:
        return batch.best

    def _proposals(self, batch: SquareBatch, row: Tensor, made: Tensor) -> Tensor:
        """Return [m, c, h, w]: the proposal after `made` [m] others, to the best image of `row` [m]."""
        h, w = batch.image.shape[2:]
        side, draws = _sides(self, h, w).to(made)[made], batch.draws[row, made]
        if self.norm != "linf":
            windows = Windows.drawn(row, side, draws, h, w)
            return move(batch.best, batch.image, windows, _shapes(self, h, w), self.eps, self.norm)
        top, left = _first(draws[:, 0], h, side), _first(draws[:, 1], w, side)
        # Algorithm 2: a square of one colour, 2 eps away, projected: so at the upper or the lower end of its room.
        return paint(batch.best, batch.low, batch.high, Squares(row, top, left, side, draws[:, 2:] < 0.5))


@cache
def _sides(search: Square, h: int, w: int) -> Tensor:
    """Return int64 [queries], side of each square in pixels: its share of the pixels halves along the schedule."""
    query = torch.arange(search.queries)
    query = query * 10_000 // search.queries if search.rescale else query
    halvings = torch.bucketize(query, torch.tensor(SCHEDULE)).double()
    side = (P_INIT * h * w * torch.exp2(-halvings)).sqrt().round().long()
    if search.norm == "linf":
        return side.clamp(min=1, max=min(h, w))
    side = side.clamp(min=3)
    return (side + 1 - side % 2).clamp(max=min(h, w))


@cache
def _shapes(search: Square, h: int, w: int) -> Bumps:
    """Return the bumps of all sides in the schedule."""
    return bumps(tuple(sorted(set(_sides(search, h, w).tolist()))), search.norm)


def _first(draw: Tensor, length: int, side: Tensor) -> Tensor:
    """Return int64 [b]: the start of an interval of `side` pixels, from `draw` in [0, 1)."""
    return (draw * (length - side)).long()
