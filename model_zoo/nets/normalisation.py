"""Normalisation with named branches (mixture BN, AdvProp), group norm, and weight standardisation (NF-ResNets)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.errors import UnknownModelError, suggestion

NormFactory = Callable[[int], nn.Module]
"""Function that makes a normalisation layer for a number of channels."""


class BranchedBatchNorm2d(nn.Module):
    """One batch norm per domain, each with its own statistics and affine parameters.

    With two branches it is mixture BN (arXiv 1906.03787, section 4) or AdvProp's auxiliary BN (arXiv 1911.09665,
    section 4.2), whose fine-grained variant has three. `active` names the branch in use. `split_branches` normalises
    each domain of a mixed batch with its own branch, as in joint training.
    """

    def __init__(self, channels: int, branches: Sequence[str], eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.names = tuple(branches)
        self.branches = nn.ModuleDict({b: nn.BatchNorm2d(channels, eps=eps, momentum=momentum) for b in branches})
        self.active = self.names[0]
        self.split: tuple[str, ...] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` float [n, c, h, w]. With a split, n is divided equally among its branches, in order."""
        if self.split is None:
            y: Tensor = self.branches[self.active](x)
            return y
        chunks = x.chunk(len(self.split))
        return torch.cat([self.branches[b](chunk) for b, chunk in zip(self.split, chunks, strict=True)])


def branched_layers(module: nn.Module) -> list[BranchedBatchNorm2d]:
    """Return all branched batch norms of `module`, in order of definition."""
    return [m for m in module.modules() if isinstance(m, BranchedBatchNorm2d)]


def branch_names(module: nn.Module) -> tuple[str, ...]:
    """Return the names of the branches of `module`, main first; empty if it has none."""
    layers = branched_layers(module)
    return layers[0].names if layers else ()


def select_branch(module: nn.Module, name: str) -> None:
    """Make every branched batch norm of `module` use branch `name`. Raises `UnknownModelError` if it does not exist."""
    known = branch_names(module)
    if name not in known:
        have = f"its branches are {', '.join(known)}" if known else "it has no normalisation branches"
        raise UnknownModelError(f"unknown branch {name!r}{suggestion(name, known)}: {have}")
    for layer in branched_layers(module):
        layer.active, layer.split = name, None


@contextmanager
def use_branch(module: nn.Module, name: str) -> Iterator[None]:
    """Use branch `name` within the block (for example during an attack), then restore the previous branch."""
    before = [(layer, layer.active, layer.split) for layer in branched_layers(module)]
    select_branch(module, name)
    try:
        yield
    finally:
        for layer, active, split in before:
            layer.active, layer.split = active, split


@contextmanager
def split_branches(module: nn.Module, names: Sequence[str]) -> Iterator[None]:
    """Split batches into len(names) equal parts within the block, each with its own branch (joint training)."""
    layers = branched_layers(module)
    before = [layer.split for layer in layers]
    for layer in layers:
        layer.split = tuple(names)
    try:
        yield
    finally:
        for layer, split in zip(layers, before, strict=True):
            layer.split = split


class ScaledStdConv2d(nn.Conv2d):
    """Convolution with scaled weight standardisation and a learned gain (NF-ResNets, arXiv 2101.08692, eq. 3).

    weight = gain * gamma * (w - mean) / (std * sqrt(fan_in)) per output filter (biased variance, eps 1e-5). `gamma`
    compensates the activation's loss of variance (ReLU: sqrt(2 / (1 - 1/pi)) = 1.7139588594436646).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        *,
        gamma: float = 1.7139588594436646,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding, bias=True)
        self.gain = nn.Parameter(torch.ones(outputs, 1, 1, 1))
        self.scale = gamma * self.weight[0].numel() ** -0.5
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        var, mean = torch.var_mean(self.weight, dim=(1, 2, 3), correction=0, keepdim=True)
        weight = (self.weight - mean) * torch.rsqrt(var + self.eps) * (self.gain * self.scale)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def batch_norm(eps: float = 1e-5, branches: Sequence[str] = ()) -> NormFactory:
    """Return a factory of batch norms, with one batch norm per branch if `branches` is not empty."""
    if branches:
        return lambda channels: BranchedBatchNorm2d(channels, branches, eps=eps)
    return lambda channels: nn.BatchNorm2d(channels, eps=eps)


def group_norm(groups: int = 32) -> NormFactory:
    """Return a factory of group norms with `groups` groups, at most one per channel."""
    return lambda channels: nn.GroupNorm(min(groups, channels), channels)
