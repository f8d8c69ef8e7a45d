"""One forward pass without a graph, also for models that compute gradients inside their forward pass."""

from typing import Any

import torch
from torch import Tensor, nn

NEEDS_GRADIENTS = "does not require grad"
"""Error of torch for a model that differentiates within its forward pass while gradients are off."""

FAR = 1e3
"""Size of float64 logits from which their common offset is removed: float32 would round their differences."""


def answer(model: nn.Module, x: Tensor) -> Tensor:
    """Return logits [n, k] of `x` [n, 3, h, w], without a graph."""
    logits: Tensor = output(model, x)
    return without_offset(logits.detach())


def output(model: nn.Module, x: Tensor) -> Any:
    """Return what the model returns for `x` [n, 3, h, w], computed without a graph if possible.

    Gradients are off, not forbidden as under `torch.inference_mode`: a model may enable them (a defence at test time, a
    gradient penalty). For a model that assumes they are on, they are switched on, with a copy of `x` as a leaf.
    """
    try:
        with torch.no_grad():
            return model(x)
    except RuntimeError as error:
        if NEEDS_GRADIENTS not in str(error):
            raise
        with torch.enable_grad():
            return model(x.detach().clone().requires_grad_())


def without_offset(logits: Tensor) -> Tensor:
    """Return logits [n, k], of float64 those of rows far from zero less the largest of the row: order and probabilities
    are the same, and survive rounding to float32."""
    if logits.dtype != torch.float64 or logits.ndim != 2 or not logits.shape[1]:
        return logits
    top = logits.amax(1, keepdim=True)
    return logits - torch.where(top.abs() > FAR, top, 0.0)
