"""The model as attacks use it: frozen, batch norm folded where that is exact, channels last, and every pass counted."""

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from bench.attacks import norms
from bench.attacks.search import ModelOutput
from model_zoo.nets.normalisation import BranchedBatchNorm2d, select_branch

Objective = Callable[[Tensor], Tensor]

FOLDED_RTOL = 1e-4
"""Largest change of a logit by folding, relative to the largest logit; beyond it the model is used as it is."""


@dataclass
class Cost:
    """What an attack cost and met, summed over images.

    forward, backward: images that went through the network either way (one forward or backward of one image is one
    pass); zero, nonfinite: gradients that were exactly zero, or not finite (these were set to zero).
    """

    forward: int = 0
    backward: int = 0
    zero: int = 0
    nonfinite: int = 0

    @property
    def passes(self) -> int:
        """Forward and backward passes together."""
        return self.forward + self.backward

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Network:
    """Answers the questions of a search with `model`'s logits and input gradients, under an autocast dtype or none."""

    def __init__(self, model: nn.Module, device: torch.device, screen: torch.dtype | None = None) -> None:
        self.model, self.device, self.screen = model, device, screen
        self.cost = Cost()

    def logits(self, x: Tensor) -> ModelOutput:
        """Logits alone, of x [b, 3, h, w]."""
        self.cost.forward += len(x)
        with torch.inference_mode(), self._precision():
            logits = self.model(_channels_last(x)).float()
        return ModelOutput(x, logits.clone())

    def gradient(self, x: Tensor, objective: Objective) -> ModelOutput:
        """Logits, `objective` of them [b], and its gradient with respect to x [b, 3, h, w]."""
        self.cost.forward += len(x)
        self.cost.backward += len(x)
        leaf = _channels_last(x.detach()).requires_grad_()
        with torch.enable_grad():
            with self._precision():
                logits = self.model(leaf)
            logits = logits.float()
            value = objective(logits)
            gradient = _derivative(value, leaf)
        return ModelOutput(x, logits.detach(), value.detach(), self._healthy(gradient))

    def _healthy(self, gradient: Tensor) -> Tensor:
        gradient = _channels_last(gradient)
        length = norms.flat(gradient).abs().sum(1)
        nonfinite = int((~length.isfinite()).sum())
        self.cost.nonfinite += nonfinite
        self.cost.zero += int((length == 0).sum())
        return gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0) if nonfinite else gradient

    @contextmanager
    def _precision(self) -> Iterator[None]:
        with torch.autocast(self.device.type, self.screen or torch.bfloat16, enabled=self.screen is not None):
            yield


def _derivative(value: Tensor, leaf: Tensor) -> Tensor:
    """d value / d leaf; zero where a model's operations have cut the way back."""
    if not value.requires_grad:
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), [leaf], allow_unused=True)
    return torch.zeros_like(leaf) if gradient is None else gradient


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def freeze(model: nn.Module, branch: str = "") -> nn.Module:
    """A copy of `model` in which no weight asks for a gradient, and every batch norm uses `branch`."""
    frozen = copy.deepcopy(model).requires_grad_(False)
    if branch:
        select_branch(frozen, branch)
    return frozen


def prepare(model: nn.Module, example: Tensor, branch: str = "") -> nn.Module:
    """`freeze`, with batch norms folded into their convolutions and channels last.

    `example` [n, 3, h, w] lies on the model's device: where folding moves a logit or the model cannot be traced, the
    copy stays unfolded.
    """
    frozen = freeze(model, branch).to(memory_format=torch.channels_last)
    folded = _folded(frozen)
    if folded is None:
        return frozen
    with torch.inference_mode():
        before, after = frozen(_channels_last(example)), folded(_channels_last(example))
    exact = (before - after).abs().max() <= FOLDED_RTOL * before.abs().max()
    return folded if exact else frozen


def _folded(model: nn.Module) -> nn.Module | None:
    """`model` with each batch norm folded into the convolution before it, or None where it cannot be traced."""
    if model.training:
        return None
    plain = _unbranched(copy.deepcopy(model))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fused = fuse(plain)
    except Exception:  # tracing runs the model's own code on stand-ins, which can raise anything
        return None
    return (
        fused.requires_grad_(False).to(memory_format=torch.channels_last) if isinstance(fused, fx.GraphModule) else None
    )


def _unbranched(model: nn.Module) -> nn.Module:
    """`model` with the branch in use in the place of each branched batch norm."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BranchedBatchNorm2d) and child.split is None:
                setattr(module, name, child.branches[child.active])
    return model
