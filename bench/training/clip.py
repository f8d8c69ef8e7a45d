"""Adaptive gradient clipping, with which networks without normalisation train at large learning rates."""

import torch
from torch import Tensor, nn

SMALLEST_NORM = 1e-3
"""Weights count as at least this long, so that those that start at zero can move (arXiv 2102.06171, section 4.1)."""


@torch.no_grad()
def clip_filters(net: nn.Module, ratio: float) -> None:
    """Shorten each filter's gradient to `ratio` times the filter's own norm (arXiv 2102.06171, section 4.1).

    Biases and gains are clipped one by one; the classifier is left alone, as in the paper.
    """
    head = {id(p) for m in net.modules() if isinstance(m, nn.Linear) for p in m.parameters()}
    for weight in net.parameters():
        if weight.grad is not None and id(weight) not in head:
            longest = ratio * _filter_norm(weight).clamp_min(SMALLEST_NORM)
            weight.grad.mul_((longest / _filter_norm(weight.grad).clamp_min(1e-6)).clamp_max(1))


def _filter_norm(x: Tensor) -> Tensor:
    """L2 norm over all axes but the first, kept: [n, 1, ...]; of a vector or a scalar, each number's own size."""
    return x.norm(dim=tuple(range(1, x.ndim)), keepdim=True) if x.ndim > 1 else x.abs()
