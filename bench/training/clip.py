"""Adaptive gradient clipping, which allows large learning rates in networks without normalisation."""

import torch
from torch import Tensor, nn

SMALLEST_NORM = 1e-3
"""Lower bound of a filter's norm, so that filters near zero can change (arXiv 2102.06171, section 4.1)."""


@torch.no_grad()
def clip_filters(net: nn.Module, ratio: float) -> None:
    """Clip each filter's gradient to `ratio` times the filter's norm (arXiv 2102.06171, section 4.1).

    The classifier is not clipped, as in the paper. Biases and residual gains are not clipped either: they start at zero
    and would stay there.
    """
    head = {id(p) for m in net.modules() if isinstance(m, nn.Linear) for p in m.parameters()}
    for weight in net.parameters():
        if weight.grad is not None and weight.ndim > 1 and id(weight) not in head:
            longest = ratio * _filter_norm(weight).clamp_min(SMALLEST_NORM)
            weight.grad.mul_((longest / _filter_norm(weight.grad).clamp_min(1e-6)).clamp_max(1))


def _filter_norm(x: Tensor) -> Tensor:
    """Return the L2 norm over all axes but the first, [n, 1, ...]."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=tuple(range(1, x.ndim)), keepdim=True)
    return norm
