"""Square Attack: random search without gradients (Andriushchenko et al., arXiv 1912.00049)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.losses import margin
from bench.attacks.randomness import Generators, signs, uniform
from bench.attacks.search import Entry, Lanes, Reply, Search
from bench.attacks.squares import Squares, paint

P_INIT = 0.8
SCHEDULE = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Share of pixels in the first square, and the queries after which it halves (section 5, for 10,000 queries)."""

TILES = 5
"""Bumps a side in the start for L2 (section 5.2)."""


@dataclass
class SquareLanes(Lanes):
    """best: image of the lowest margin so far, and that margin [b]; draws: float32 [b, queries, d], uniform in [0, 1),
    the random numbers of every step."""

    best: Tensor
    lowest: Tensor
    draws: Tensor


@dataclass(frozen=True)
class Square(Search[SquareLanes]):
    """`queries` random squares (Linf) or pairs of windows (L2), each kept if it lowers the margin. Ends at the first
    misclassification. The schedule of sizes is that of 10,000 queries whatever their number, as in AutoAttack, unless
    `rescale` spreads it over the queries that there are."""

    norm: Norm
    eps: float
    queries: int = 5000
    rescale: bool = False
    name: str = "square"

    def start(self, entry: Entry) -> SquareLanes:
        c, h, w = entry.shape
        if self.norm == "linf":
            first = entry.image + self.eps * signs(entry.generators, c, 1, w).to(entry.image)
        else:
            first = entry.image + self.eps * norms.unit(_tiles(entry.generators, c, h, w), "l2").to(entry.image)
        at = entry.at(first, self.eps, self.norm)
        draws = uniform(entry.generators, self.queries, 2 + c if self.norm == "linf" else 5 + c)
        lowest = torch.full_like(at["x"][:, 0, 0, 0], torch.inf)
        return SquareLanes(**at, best=at["x"].clone(), lowest=lowest, draws=draws.to(entry.image))

    def wants_gradient(self, lanes: SquareLanes) -> Tensor:
        return torch.zeros_like(lanes.broken)

    def objective(self, lanes: SquareLanes, logits: Tensor) -> Tensor:
        return -margin(logits, lanes.label)

    def update(self, lanes: SquareLanes, reply: Reply) -> Tensor:
        value = margin(reply.logits, lanes.label)
        lanes.broken = reply.wrong(lanes.label)
        better = lanes.broken | (value < lanes.lowest)
        lanes.lowest = torch.where(better, value, lanes.lowest)
        rows = better.nonzero().squeeze(1)
        lanes.best[rows] = lanes.x[rows]
        done = lanes.broken | (lanes.step >= self.queries)
        if not done.all():
            draws = lanes.draws[torch.arange(len(lanes)), lanes.step.clamp(max=self.queries - 1)]
            lanes.x = (self._squares if self.norm == "linf" else self._windows)(lanes, draws)
            lanes.step = lanes.step + 1
        return done

    def result(self, lanes: SquareLanes) -> Tensor:
        return lanes.best

    def _side(self, lanes: SquareLanes) -> Tensor:
        """int64 [b], side of each lane's square in pixels: its share of the pixels halves along the schedule."""
        _, _, h, w = lanes.image.shape
        query = lanes.step * 10_000 // self.queries if self.rescale else lanes.step
        halvings = torch.bucketize(query, torch.tensor(SCHEDULE, device=query.device)).double()
        side = (P_INIT * h * w * torch.exp2(-halvings)).sqrt().round().long()
        return side.clamp(min=1 if self.norm == "linf" else 3).to(lanes.step)

    def _squares(self, lanes: SquareLanes, draws: Tensor) -> Tensor:
        """Algorithm 2: a square of one colour, 2 eps away, projected: so at the upper or the lower end of its room."""
        _, _, h, w = lanes.image.shape
        side = self._side(lanes).clamp(max=min(h, w))
        top, left = _first(draws[:, 0], h, side), _first(draws[:, 1], w, side)
        return paint(lanes.best, lanes.low, lanes.high, Squares(top, left, side, draws[:, 2:] < 0.5))

    def _windows(self, lanes: SquareLanes, draws: Tensor) -> Tensor:
        """Algorithm 3, lane by lane: their windows differ in size."""
        sides = self._side(lanes).tolist()
        deltas = lanes.best - lanes.image
        moved = [_move(delta, side, self.eps, draw) for delta, side, draw in zip(deltas, sides, draws, strict=True)]
        return (lanes.image + self.eps * norms.unit(torch.stack(moved), "l2")).clamp(0.0, 1.0)


def _first(draw: Tensor, length: int, side: Tensor) -> Tensor:
    """int64 [b]: where an interval of `side` pixels starts, as `draw` in [0, 1) says."""
    return (draw * (length - side)).long()


def _move(delta: Tensor, side: int, eps: float, draw: Tensor) -> Tensor:
    """[c, h, w]: mass of one window of the perturbation, and what is left of eps, moved to another, as a new shape."""
    c, h, w = delta.shape
    side = min(side + 1 - side % 2, h, w)
    top, left, top2, left2 = (int(d * (n - side)) for d, n in zip(draw[:4].tolist(), (h, w, h, w), strict=True))
    here = (slice(None), slice(top, top + side), slice(left, left + side))
    there = (slice(None), slice(top2, top2 + side), slice(left2, left2 + side))
    mask = torch.zeros_like(delta)
    mask[here] = mask[there] = 1
    mass = (delta * mask).square().sum((1, 2), keepdim=True)
    spare = max(eps**2 - float(delta.square().sum()), 0.0) / c
    colour = torch.where(draw[5:] < 0.5, 1.0, -1.0)[:, None, None]
    shape = _bump(side, float(draw[4])).to(delta) * colour
    shape = shape + delta[here] / (1e-12 + torch.linalg.vector_norm(delta[here], dim=(1, 2), keepdim=True))
    shape = shape / (1e-12 + torch.linalg.vector_norm(shape, dim=(1, 2), keepdim=True))
    moved = delta.clone()
    moved[there] = 0
    moved[here] = shape * (mass + spare).sqrt()
    return moved


def _tiles(generators: Generators, c: int, h: int, w: int) -> Tensor:
    """float32 [n, c, h, w]: the L2 start, five by five bumps of random sign and turn, centred."""
    side = max(min(h, w) // TILES, 1)
    colours, turns = signs(generators, c, TILES, TILES), uniform(generators, TILES, TILES)
    upright, lying = _bump(side, 0.0), _bump(side, 1.0)
    bumps = torch.where(turns[..., None, None] < 0.5, upright, lying)[:, None] * colours[..., None, None]
    square = bumps.transpose(3, 4).reshape(len(generators), c, TILES * side, TILES * side)
    top, left = (h - TILES * side) // 2, (w - TILES * side) // 2
    return F.pad(square, (left, w - TILES * side - left, top, h - TILES * side - top))


def _bump(side: int, turn: float) -> Tensor:
    """float32 [side, side] of norm 1: a peak above a trough, or beside it (equation 2 and figure 4)."""
    half = side // 2
    bump = torch.cat([_peak(half, side), -_peak(side - half, side)])
    bump /= torch.linalg.vector_norm(bump)
    return bump.T if turn > 0.5 else bump


def _peak(height: int, width: int) -> Tensor:
    """float32 [height, width]: rectangles around the centre, the m-th of weight 1 / m^2, of norm 1."""
    peak = torch.zeros(height, width)
    top, left = height // 2, width // 2
    for m in range(max(height // 2 + 1, width // 2 + 1)):
        peak[max(top, 0) : top + 2 * m + 1, max(left, 0) : left + 2 * m + 1] += 1 / (m + 1) ** 2
        top, left = top - 1, left - 1
    peak /= torch.linalg.vector_norm(peak).clamp(min=1e-12)
    return peak
