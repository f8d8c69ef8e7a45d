"""Points of a network whose activations are measured: the input of each normalisation layer, or, in a network without
normalisation, the output of each convolution, which is the same place."""

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
    """A point in the network. kind: `batch`, `group`, `layer` or `instance`, or `conv` or `linear` in networks without
    normalisation (measured at the output); axis: the channels' axis."""

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
        if not isinstance(self.module, nn.LayerNorm):
            return self.axis
        return 1 if x.ndim > 3 and (len(self.module.normalized_shape) > 1 or _takes_images(self.module, x)) else -1


def _takes_images(layer: nn.LayerNorm, x: Tensor) -> bool:
    """Return whether `layer` normalises axis 1 of `x`; if the last axis has its size, too, another image tells."""
    (channels,) = layer.normalized_shape
    if x.shape[-1] != channels or x.shape[1] != channels:
        return x.shape[1] == channels
    try:
        with torch.no_grad():
            type(layer).forward(layer, x.new_zeros(1, channels, 1, channels + 1))
    except RuntimeError:
        return False
    return True


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
)
_BARE = (("conv", 1, CONVOLUTIONS), ("linear", -1, (nn.Linear,)))


def find_points(model: nn.Module) -> list[NormalisationPoint]:
    """Return all normalisation layers of `model`; without any, all convolutions; without those, all linear layers.

    Raises `UsageError` for a network with none of these.
    """
    modules = dict(model.named_modules())
    inner = {id(child) for m in modules.values() if isinstance(m, BranchedBatchNorm2d) for child in m.modules()}
    inner -= {id(m) for m in modules.values() if isinstance(m, BranchedBatchNorm2d)}
    points = [
        NormalisationPoint(name, kind, m, axis)
        for name, m in modules.items()
        for kind, axis, fits in _KINDS
        if id(m) not in inner and fits(m)
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
        float(getattr(layer, "eps", EPS)),
    )


def _channels(layer: nn.Module, name: str) -> Channels | None:
    values = getattr(layer, name, None)
    if not isinstance(values, Tensor):
        return None
    return np.asarray(values.detach().double().flatten().cpu().numpy(), dtype=np.float64)
