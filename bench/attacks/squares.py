"""Square Attack's proposals for Linf: a square of each image is set to its lower or upper bounds.

Implemented twice, like `bench.attacks.plane`: on a CPU, one pass of a small network is faster than sweeps of torch over
the image.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from bench.attacks import norms


class Squares(NamedTuple):
    """row: int64 [m], index of the image; top, left, side: int64 [m], in pixels; raised: bool [m, 3], channels set
    to the upper bound."""

    row: Tensor
    top: Tensor
    left: Tensor
    side: Tensor
    raised: Tensor


def paint(best: Tensor, low: Tensor, high: Tensor, squares: Squares) -> Tensor:
    """Return [m, 3, h, w]: images of `best` [b, 3, h, w], each with its square at `high` where raised, else at `low`
    (both shaped as `best`)."""
    return (
        _compiled_paint(best, low, high, squares)
        if best.device.type == "cpu"
        else torch_paint(best, low, high, squares)
    )


def torch_paint(best: Tensor, low: Tensor, high: Tensor, squares: Squares) -> Tensor:
    """Compute `paint` in torch. Weights of 0 and 1 select exactly, and faster than `where`."""
    best, low, high = (pictures[squares.row] for pictures in (best, low, high))
    h, w = best.shape[2:]
    rows, columns = (_interval(first, squares.side, length) for first, length in ((squares.top, h), (squares.left, w)))
    inside = (rows[:, None, :, None] & columns[:, None, None, :]).to(best)
    colour = torch.lerp(low, high, squares.raised.to(best)[:, :, None, None])
    return torch.lerp(best, colour, inside)


def _interval(first: Tensor, side: Tensor, length: int) -> Tensor:
    """Return bool [b, length]: the pixels first .. first + side - 1."""
    pixel = torch.arange(length, device=first.device)
    return (pixel >= first[:, None]) & (pixel < (first + side)[:, None])


def _compiled_paint(best: Tensor, low: Tensor, high: Tensor, squares: Squares) -> Tensor:
    from bench.attacks.compiled import paint_squares  # Numba is slow to import

    out = best[squares.row].contiguous(memory_format=torch.channels_last)
    row, top, left, side, raised = (t.numpy() for t in squares)
    bounds = norms.array(low), norms.array(high)
    paint_squares(norms.array(out), *bounds, row, top, left, side, raised, best.shape[-1])
    return out
