"""FAB's geometry: the smallest step onto a plane within [0, 1], and the step that mixes two of them.

Implemented twice: in torch for any norm and device, and compiled for Linf on a CPU, where one pass of a small network
is faster than twenty sweeps of torch over the image.
"""

import torch
from torch import Tensor

from bench.attacks import norms
from bench.attacks.budget import Norm
from bench.attacks.norms import per_image

ALPHA_MAX = 0.1
ETA = 1.05
"""Bias towards the image and overshoot: arXiv 1907.02044, section 3.1, the values for all three norms."""

_ROUNDS = 64
"""Bound on Newton steps of the projection, far above the few that it takes."""

_LOOK = 4
"""Steps between checks for convergence on a GPU, which must wait for the result; an extra step changes nothing."""


def fab_step(x: Tensor, image: Tensor, gradient: Tensor, difference: Tensor, norm: Norm) -> Tensor:
    """Return the next candidate: from `x` and from `image` onto the linearised boundary, mixed by the two distances.

    x, image, gradient (of the logit difference at x): float32 [n, 3, h, w]; difference: [n]; equation 7 of the paper.
    """
    if norm == "linf" and x.device.type == "cpu":
        return _compiled_step(x, image, gradient, difference)
    return torch_step(x, image, gradient, difference, norm)


def torch_step(x: Tensor, image: Tensor, gradient: Tensor, difference: Tensor, norm: Norm) -> Tensor:
    """Compute `fab_step` in torch."""
    to_x = onto_plane(x, gradient, difference, norm)
    gap = difference + norms.flat(gradient * (image - x)).sum(1)
    to_image = onto_plane(image, gradient, gap, norm)
    near, far = (norms.size(d, norm).clamp(min=1e-8) for d in (to_x, to_image))
    alpha = per_image((near / (near + far)).clamp(max=ALPHA_MAX))
    return torch.lerp(x.add(to_x, alpha=ETA), image.add(to_image, alpha=ETA), alpha).clamp_(0.0, 1.0)


def _compiled_step(x: Tensor, image: Tensor, gradient: Tensor, difference: Tensor) -> Tensor:
    from bench.attacks.compiled import linf_step  # Numba is slow to import

    out = torch.empty_like(image, memory_format=torch.channels_last)
    x_, image_, gradient_ = norms.array(x), norms.array(image), norms.array(gradient)
    linf_step(x_, image_, gradient_, difference.numpy(), ALPHA_MAX, ETA, norms.array(out))
    return out


def onto_plane(x: Tensor, normal: Tensor, gap: Tensor, norm: Norm) -> Tensor:
    """Return the smallest d with <normal, d> + gap = 0 and x + d in [0, 1], or the closest one possible. x, normal, d:
    [n, 3, h, w]; gap: [n].

    Section 3.1 of the paper sorts the coordinates. Here d moves them together with speed 1 (Linf) or |normal| (L2),
    each up to its bound. The distance to the plane is then an increasing, concave, piecewise linear function of time,
    and Newton's method from the left ends exactly at its root.
    """
    shape, x, normal = x.shape, x.flatten(1), normal.flatten(1)
    weight = normal.abs()
    way = -gap.sign()[:, None] * normal.sign()
    room = torch.where(way > 0, 1 - x, x)
    if norm == "l1":
        return (way * _fill(weight, room, gap.abs())).view(shape)
    speed = torch.ones_like(weight) if norm == "linf" else weight
    pull, reach = weight * speed, weight * room
    free, time = weight > 0, torch.zeros_like(gap)[:, None]
    for number in range(1, _ROUNDS + 1):
        # Where nothing is left free the plane is out of reach, and time is infinite.
        time = (gap.abs() - (reach * ~free).sum(1)).div((pull * free).sum(1))[:, None].nan_to_num(nan=torch.inf)
        still = free & (time * speed < room)
        if (number % _LOOK == 0 or x.device.type == "cpu") and torch.equal(still, free):
            break
        free = still
    return (way * torch.where(free, time * speed, room)).view(shape)


def _fill(weight: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """Return how far each coordinate moves for the smallest L1 norm: those with the greatest weight first, each up
    to its `room`, until `gap` is covered; weight, room: [n, d], gap: [n]."""
    weight, order = weight.sort(dim=1, descending=True)
    room = room.gather(1, order)
    reach = weight * room
    left = (gap[:, None] - (reach.cumsum(1) - reach)).clamp(min=0)
    moved = torch.minimum(room, (left / weight).nan_to_num(nan=0.0, posinf=0.0))
    return torch.zeros_like(moved).scatter(1, order, moved)
