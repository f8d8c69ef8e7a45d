"""Square Attack's proposals for L2 and L1: mass of a perturbation moves from one window to another, in a new shape.

Implemented twice, like `bench.attacks.plane`: on a CPU, one pass of a small network is faster than sweeps of torch over
the image.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.randomness import Generators, signs, uniform

TILES = 5
"""Bumps per side in the start (arXiv 1912.00049, section 5.2)."""

_TINY = 1e-12


class Windows(NamedTuple):
    """Two windows of each of m proposals, `side` pixels high and wide: "here", which takes, and "there", which gives.

    row: int64 [m], of which image; side, top, left, top2, left2: int64 [m], in pixels; turned: bool [m], the new
    shape lies on its side; colour: float32 [m, 3], 1 or -1, its sign in each channel
    """

    row: Tensor
    side: Tensor
    top: Tensor
    left: Tensor
    top2: Tensor
    left2: Tensor
    turned: Tensor
    colour: Tensor

    @classmethod
    def drawn(cls, row: Tensor, side: Tensor, draws: Tensor, height: int, width: int) -> "Windows":
        """Return the windows at the places given by `draws` [m, 5 + 3], uniform in [0, 1)."""
        free = torch.stack([height - side, width - side, height - side, width - side], 1)
        top, left, top2, left2 = (draws[:, :4] * free).long().unbind(1)
        return cls(row, side, top, left, top2, left2, draws[:, 4] > 0.5, torch.where(draws[:, 5:] < 0.5, 1.0, -1.0))


class Bumps(NamedTuple):
    """side: int64 [k], ascending; shape: float32 [k, 2, s, s], upright and turned, in the upper left corner (on
    CPU)."""

    side: Tensor
    shape: Tensor

    def place(self, side: Tensor) -> Tensor:
        """Return int64 [m]: the index of each `side` [m]."""
        return torch.bucketize(side, self.side.to(side.device))


def move(best: Tensor, image: Tensor, windows: Windows, shapes: Bumps, eps: float, norm: Norm) -> Tensor:
    """Return [m, 3, h, w]: images of `best` [b, 3, h, w], each with its windows moved, within eps of `image` (shaped as
    `best`).

    Algorithm 3 of arXiv 1912.00049. For L1 see arXiv 2103.01208, section 4: the same with L1 norms, and a projection.
    """
    if best.device.type == "cpu":
        return _compiled_move(best, image, windows, shapes, eps, norm)
    return torch_move(best, image, windows, shapes, eps, norm)


def torch_move(best: Tensor, image: Tensor, windows: Windows, shapes: Bumps, eps: float, norm: Norm) -> Tensor:
    """Compute `move` in torch, all proposals at once."""
    image = image[windows.row]
    delta = best[windows.row] - image
    c, h, w = delta.shape[1:]
    rows, here = _window(windows.top, windows.left, windows.side, h, w)
    _, there = _window(windows.top2, windows.left2, windows.side, h, w)
    which = (index[:, None, None] for index in (shapes.place(windows.side), windows.turned.long()))
    shape = shapes.shape.to(delta)[*which, *rows][:, None]
    shape = shape * windows.colour.to(delta)[:, :, None, None] + _shares(delta * here, norm)
    mass = _mass(delta * (here | there), norm)
    spare = (eps ** _power(norm) - _mass(delta, norm).sum(1, keepdim=True)).clamp(min=0)
    wanted = (spare / c + mass).sqrt() if norm == "l2" else spare + c * mass
    moved = torch.where(here, _shares(shape * here, norm) * wanted, delta.masked_fill(there, 0.0))
    return settle(image, moved, eps, norm)


def _window(top: Tensor, left: Tensor, side: Tensor, h: int, w: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return rows [m, h, 1] and columns [m, 1, w] within a window (0 outside), and bool [m, 1, h, w]: inside it."""
    row = torch.arange(h, device=top.device) - top[:, None]
    column = torch.arange(w, device=top.device) - left[:, None]
    inside = [(line >= 0) & (line < side[:, None]) for line in (row, column)]
    lines = (row * inside[0])[:, :, None], (column * inside[1])[:, None, :]
    return lines, (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _power(norm: Norm) -> int:
    return 2 if norm == "l2" else 1


def _mass(delta: Tensor, norm: Norm) -> Tensor:
    """Return the sum of squares (L2) or of absolute values (L1) of each channel, [m, c, 1, 1]."""
    return (delta.square() if norm == "l2" else delta.abs()).sum((2, 3), keepdim=True)


def _shares(delta: Tensor, norm: Norm) -> Tensor:
    """Scale each channel to norm 1."""
    mass = _mass(delta, norm)
    return delta / (_TINY + (mass.sqrt() if norm == "l2" else mass))


def settle(image: Tensor, delta: Tensor, eps: float, norm: Norm) -> Tensor:
    """Move `image` by eps in the direction of `delta` (L2), or project into the ball and [0, 1] at once (L1)."""
    if norm == "l1":
        return norms.into_l1(image + delta, image, eps)
    return (image + eps * norms.unit(delta, "l2")).clamp(0.0, 1.0)


def _compiled_move(best: Tensor, image: Tensor, windows: Windows, shapes: Bumps, eps: float, norm: Norm) -> Tensor:
    from bench.attacks.compiled import move_windows  # Numba is slow to import

    image = image[windows.row].contiguous(memory_format=torch.channels_last)
    delta = best[windows.row].contiguous(memory_format=torch.channels_last).sub_(image)
    here, there = (windows.top, windows.left), (windows.top2, windows.left2)
    places = torch.stack([windows.side, *here, *there, shapes.place(windows.side), windows.turned], 1)
    arrays = places.numpy(), windows.colour.numpy(), shapes.shape.numpy()
    move_windows(norms.array(delta), norms.array(image), *arrays, eps, norm == "l2", best.shape[-1])
    return delta if norm == "l2" else settle(image, delta, eps, norm)


@cache
def bumps(sides: tuple[int, ...], norm: Norm) -> Bumps:
    """Return the bumps of `sides` pixels, in order."""
    most = max(sides)
    padded = [F.pad(bump(side, turned, norm), (0, most - side) * 2) for side in sides for turned in (False, True)]
    return Bumps(torch.tensor(sides), torch.stack(padded).view(len(sides), 2, most, most))


def tiles(generators: Generators, c: int, h: int, w: int, norm: Norm) -> Tensor:
    """Return float32 [n, c, h, w]: the start, five by five bumps of random sign and orientation, centred."""
    side = max(min(h, w) // TILES, 1)
    colours, turns = signs(generators, c, TILES, TILES), uniform(generators, TILES, TILES)
    upright, lying = bump(side, False, norm), bump(side, True, norm)
    bumps = torch.where(turns[..., None, None] < 0.5, upright, lying)[:, None] * colours[..., None, None]
    square = bumps.transpose(3, 4).reshape(len(generators), c, TILES * side, TILES * side)
    top, left = (h - TILES * side) // 2, (w - TILES * side) // 2
    return F.pad(square, (left, w - TILES * side - left, top, h - TILES * side - top))


def bump(side: int, turned: bool, norm: Norm) -> Tensor:
    """Return float32 [side, side] of norm 1: a peak above a trough, or beside it (equation 2 and figure 4)."""
    half = side // 2
    made = torch.cat([_peak(half, side, norm), -_peak(side - half, side, norm)])
    made /= _length(made, norm)
    return made.T if turned else made


def _peak(height: int, width: int, norm: Norm) -> Tensor:
    """Return float32 [height, width] of norm 1: rectangles around the centre, the m-th weighs 1 / m^2 (L2), 1 / m^4
    (L1)."""
    peak = torch.zeros(height, width)
    top, left = height // 2, width // 2
    for m in range(max(height // 2 + 1, width // 2 + 1)):
        weight = 1 / (m + 1) ** (4 // _power(norm))
        peak[max(top, 0) : top + 2 * m + 1, max(left, 0) : left + 2 * m + 1] += weight
        top, left = top - 1, left - 1
    return peak / _length(peak, norm).clamp(min=_TINY)


def _length(values: Tensor, norm: Norm) -> Tensor:
    return values.square().sum().sqrt() if norm == "l2" else values.abs().sum()
