"""One forward pass that keeps no graph, of models that may need gradients inside their own forward pass."""

import torch
from torch import Tensor, nn

NEEDS_GRADIENTS = "does not require grad"
"""What torch says to a model that differentiates within its forward pass where gradients are off."""


def answer(model: nn.Module, x: Tensor) -> Tensor:
    """Logits [n, k] of `x` [n, 3, h, w], without a graph.

    Gradients are off, not forbidden as under `torch.inference_mode`: a model may switch them on for itself (a defence
    at test time, a gradient penalty). One that takes them for granted is given them, and a copy of `x` as a leaf.
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
