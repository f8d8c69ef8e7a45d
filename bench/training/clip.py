"""Adaptive gradient clipping, with which networks without normalisation train at large learning rates."""

import torch
from torch import Tensor, nn

SMALLEST_NORM = 1e-3
"""Filters count as at least this long, so that one near zero can move (arXiv 2102.06171, section 4.1)."""


@torch.no_grad()
def clip_filters(net: nn.Module, ratio: float) -> None:
    """Shorten each filter's gradient to `ratio` times the filter's own norm (arXiv 2102.06171, section 4.1).

    The classifier is left alone, as in the paper; so are biases and the residual branches' gains, which start at zero
    and would never leave it.
    """
    head = {id(p) for m in net.modules() if isinstance(m, nn.Linear) for p in m.parameters()}
    for weight in net.parameters():
        if weight.grad is not None and weight.ndim > 1 and id(weight) not in head:
            longest = ratio * _filter_norm(weight).clamp_min(SMALLEST_NORM)
            weight.grad.mul_((longest / _filter_norm(weight.grad).clamp_min(1e-6)).clamp_max(1))


def _filter_norm(x: Tensor) -> Tensor:
    """L2 norm over all axes but the first, kept: [n, 1, ...]."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=tuple(range(1, x.ndim)), keepdim=True)
    return norm
