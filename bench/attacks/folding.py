"""A traced copy of a network with each batch norm folded into the convolution before it, or the reason why there is
none."""

import warnings
from typing import Any

import torch
from torch import fx, nn
from torch.fx.experimental.optimization import fuse

from bench.attacks.checks import in_training
from bench.errors import first_line
from model_zoo.nets.normalisation import BranchedBatchNorm2d

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class NotFoldedError(Exception):
    """The network has no folded copy, for the reason in the message."""


class _Tracer(fx.Tracer):
    """Traces modules as a graph; a graph does not record that gradients were off, or in which precision code ran."""

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        if not torch.is_grad_enabled():  # also within the forward pass of a `torch.autograd.Function`
            raise NotFoldedError("its forward pass defines its own gradients or switches them off")
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            raise NotFoldedError("its forward pass chooses its own precision (autocast)")
        return super().create_node(*args, **kwargs)


def fold(model: nn.Module) -> nn.Module:
    """Fold `model`, which is a copy for this use only. Raises `NotFoldedError`. Does not check that the result
    computes the same."""
    if training := in_training(model):
        raise NotFoldedError(f"it is in training mode ({training[0]})")
    hooked = [name or "the model itself" for name, m in model.named_modules() if any(getattr(m, h) for h in HOOKS)]
    if hooked:
        raise NotFoldedError(f"it has hooks ({hooked[0]})")
    plain = _unbranched(model)
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            graph = fx.GraphModule(plain, _Tracer().trace(plain))
            return fuse(graph, no_trace=True)
    except NotFoldedError:
        raise
    except Exception as error:  # tracing runs the model's own code on stand-ins, which can raise anything
        raise NotFoldedError(f"it cannot be traced ({first_line(error)[:80]})") from error


def _unbranched(model: nn.Module) -> nn.Module:
    """Return `model` with the branch in use instead of each branched batch norm."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BranchedBatchNorm2d) and child.split is None:
                setattr(module, name, child.branches[child.active])
    return model
