"""One forward pass without a graph, also for models that compute gradients inside their forward pass."""

import torch
from torch import Tensor, nn

NEEDS_GRADIENTS = "does not require grad"
"""Error of torch for a model that differentiates within its forward pass while gradients are off."""


def answer(model: nn.Module, x: Tensor) -> Tensor:
    """Return logits [n, k] of `x` [n, 3, h, w], without a graph.

    Gradients are off, not forbidden as under `torch.inference_mode`: a model may enable them (a defence at test time, a
    gradient penalty). For a model that assumes they are on, they are switched on, with a copy of `x` as a leaf.
    """
    try:
        with torch.no_grad():
            logits: Tensor = model(x)
    except RuntimeError as error:
        if NEEDS_GRADIENTS not in str(error):
            raise
        with torch.enable_grad():
            logits = model(x.detach().clone().requires_grad_())
    return logits.detach()
