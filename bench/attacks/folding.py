"""A traced copy of a network with each batch norm folded into the convolution before it, or the reason why there is
none."""

import warnings
from collections import Counter
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from bench.attacks.checks import in_training
from bench.errors import first_line
from model_zoo.nets.normalisation import BranchedBatchNorm2d

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


NORM_AFTER: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
    nn.Linear: nn.BatchNorm1d,
}
"""Layers into which the batch norm that follows is folded."""


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
            graph = _Tracer().trace(plain)
            _fold_norms(plain, graph)
            return fx.GraphModule(plain, graph)
    except NotFoldedError:
        raise
    except Exception as error:  # tracing runs the model's own code on stand-ins, which can raise anything
        raise NotFoldedError(f"it cannot be traced ({first_line(error)[:80]})") from error


def _fold_norms(root: nn.Module, graph: fx.Graph) -> None:
    """Fold batch norms into the layers before them, in place, where nothing else uses such a layer or its output."""
    called = {node: root.get_submodule(str(node.target)) for node in graph.nodes if node.op == "call_module"}
    times = Counter(called.values())
    for node, norm in called.items():
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or before not in called or len(before.users) > 1:
            continue
        layer = called[before]
        if NORM_AFTER.get(type(layer)) is type(norm) and times[layer] == 1 and norm.track_running_stats:
            _fold_norm(layer, norm)
            node.replace_all_uses_with(before)
            graph.erase_node(node)


def _fold_norm(layer: Any, norm: Any) -> None:
    fuse = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    layer.weight, layer.bias = fuse(layer.weight, layer.bias, *statistics)


def _unbranched(model: nn.Module) -> nn.Module:
    """Return `model` with the branch in use instead of each branched batch norm."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BranchedBatchNorm2d) and child.split is None:
                setattr(module, name, child.branches[child.active])
    return model
