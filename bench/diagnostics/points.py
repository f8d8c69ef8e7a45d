"""Points of a network whose activations are measured: the input of each normalisation layer, or, in a network without
normalisation, the output of each convolution, which is the same place."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from bench.diagnostics.distances import EPS, Channels
from bench.errors import UsageError
from model_zoo.nets.normalisation import BranchedBatchNorm2d

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Stored:
    """Stored statistics and parameters of a normalisation layer, float64 [c] each; None for those it lacks."""

    mean: Channels | None
    variance: Channels | None
    gamma: Channels | None
    beta: Channels | None
    eps: float = EPS


@dataclass(frozen=True)
class NormalisationPoint:
    """A point in the network. kind: `batch`, `group`, `layer` or `instance`, `named` for another normalisation by its
    class's name, or `conv` or `linear` in networks without normalisation (measured at the output); axis: the channels'
    axis."""

    name: str
    kind: str
    module: nn.Module
    axis: int = 1

    @property
    def behind(self) -> bool:
        """Whether the layer's output is measured, not its input."""
        return self.kind in ("conv", "linear")

    def channels_of(self, x: Tensor) -> int:
        """Return the channels' axis of `x`. A layer norm over channels, height and width has that of an image; so have
        those that put an image's channels last within their forward pass (torchvision's and timm's `LayerNorm2d`)."""
        if self.kind not in ("layer", "named"):
            return self.axis
        whole = len(getattr(self.module, "normalized_shape", ())) > 1
        return 1 if x.ndim > 3 and (whole or _takes_images(self.module, x)) else -1


def _takes_images(layer: nn.Module, x: Tensor) -> bool:
    """Return whether `layer` normalises axis 1 of `x`; if the last axis has its size, too, another image tells. A layer
    without parameters for each channel takes images as convolutions give them."""
    sizes = [p.numel() for p in layer.parameters() if p.numel() in (x.shape[1], x.shape[-1]) and p.numel() > 1]
    (channels,) = getattr(layer, "normalized_shape", sizes[:1] or (x.shape[1],))
    if x.shape[-1] != channels or x.shape[1] != channels:
        return bool(x.shape[1] == channels)
    try:
        with torch.no_grad():
            type(layer).forward(layer, x.new_zeros(1, channels, 1, channels + 1))
    except RuntimeError:
        return False
    return True


_NAMED = re.compile(r"(rms|layer|group|l2|scale|simple|filter_?response|evo)_?norm", re.IGNORECASE)


def _is_named_norm(module: nn.Module) -> bool:
    """Return whether `module` is a normalisation by its class's name, as libraries write their own (`LlamaRMSNorm`,
    ConvNeXt's `LayerNorm`): of parts that have weights it has none."""
    inner = [p for child in module.children() for p in child.parameters()]
    return bool(_NAMED.search(type(module).__name__)) and not inner


def is_batch_norm(module: nn.Module) -> bool:
    """Return whether `module` is a batch norm: torch's, synchronised, or frozen as in torchvision, timm, detectron2."""
    return isinstance(module, _BatchNorm) or (
        not isinstance(module, _InstanceNorm) and isinstance(getattr(module, "running_var", None), Tensor)
    )


def active(module: nn.Module) -> nn.Module:
    """Return the active branch of a branched batch norm; any other module unchanged."""
    branched = isinstance(module, BranchedBatchNorm2d)
    return module.get_submodule(f"branches.{module.active}") if branched else module


_KINDS: tuple[tuple[str, int, Callable[[nn.Module], bool]], ...] = (
    ("batch", 1, lambda m: isinstance(m, BranchedBatchNorm2d) or is_batch_norm(m)),
    ("group", 1, lambda m: isinstance(m, nn.GroupNorm)),
    ("instance", 1, lambda m: isinstance(m, _InstanceNorm)),
    ("layer", -1, lambda m: isinstance(m, nn.LayerNorm)),
    ("named", -1, _is_named_norm),
)
_BARE = (("conv", 1, CONVOLUTIONS), ("linear", -1, (nn.Linear,)))


def _kind_of(module: nn.Module) -> tuple[str, int] | None:
    return next(((kind, axis) for kind, axis, fits in _KINDS if fits(module)), None)


def find_points(model: nn.Module) -> list[NormalisationPoint]:
    """Return all normalisation layers of `model`; without any, all convolutions; without those, all linear layers.

    Raises `UsageError` for a network with none of these.
    """
    modules = dict(model.named_modules())
    inner = {id(child) for m in modules.values() if isinstance(m, BranchedBatchNorm2d) for child in m.modules()}
    inner -= {id(m) for m in modules.values() if isinstance(m, BranchedBatchNorm2d)}
    points = [
        NormalisationPoint(name, found[0], m, found[1])
        for name, m in modules.items()
        if id(m) not in inner and (found := _kind_of(m))
    ]
    for kind, axis, types in _BARE:
        points = points or [
            NormalisationPoint(name, kind, m, axis) for name, m in modules.items() if isinstance(m, types)
        ]
    if not points:
        raise UsageError(
            "the model has neither normalisation layers nor convolutions nor linear layers as modules: "
            "there is no place at which its channels could be looked at"
        )
    return points


def stored(module: nn.Module) -> Stored:
    """Return the stored statistics and parameters of the layer (of its active branch)."""
    layer = active(module)
    if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
        return Stored(None, None, None, None)
    return Stored(
        _channels(layer, "running_mean"),
        _channels(layer, "running_var"),
        _channels(layer, "weight"),
        _channels(layer, "bias"),
        float(getattr(layer, "eps", None) or EPS),
    )


def _channels(layer: nn.Module, name: str) -> Channels | None:
    values = getattr(layer, name, None)
    if not isinstance(values, Tensor):
        return None
    return np.asarray(values.detach().double().flatten().cpu().numpy(), dtype=np.float64)
