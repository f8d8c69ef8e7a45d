"""Activation functions by name, and ReLU with a smooth derivative (Smooth Adversarial Training, arXiv 2006.14536)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SOFTPLUS_ALPHA = 10.0
"""Parametric softplus log(1 + exp(alpha x)) / alpha (SAT, section 3.2; alpha 10 as commonly quoted)."""


class SmoothReLU(nn.Module):
    """x - log(1 + b x) / b for x > 0, else 0 (SAT, section 4); b = raw**2 with one learned scalar `raw` per layer.

    The released checkpoints store `raw`, initialised at 20 (b = 400).
    """

    def __init__(self, raw: float = 20.0) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.tensor([raw]))

    def forward(self, x: Tensor) -> Tensor:
        b = self.raw.square()
        return F.relu(x - torch.log1p(x.abs() * b) / b)


class ParametricSoftplus(nn.Module):
    """log(1 + exp(alpha x)) / alpha; ReLU in the limit of large `alpha`."""

    def __init__(self, alpha: float = SOFTPLUS_ALPHA) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x, beta=self.alpha)


class Rectified(nn.Module):
    """A smooth activation without its negative part: f(x) for x > 0, else 0 (SAT, section 4.2)."""

    def __init__(self, smooth: nn.Module) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.smooth(x)
        return torch.where(x > 0, y, torch.zeros_like(y))


class _SmoothBackward(torch.autograd.Function):
    """ReLU in the forward pass; in the backward pass the derivative of parametric softplus, sigmoid(alpha x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return F.relu(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * torch.sigmoid(SOFTPLUS_ALPHA * x)


class SmoothGradientReLU(nn.Module):
    """ReLU that uses the derivative of parametric softplus in the backward pass while `smooth` is set.

    SAT's ablation (section 3.2, Table 1) sets it in the attack, in the weight update, or in both.
    """

    def __init__(self) -> None:
        super().__init__()
        self.smooth = False

    def forward(self, x: Tensor) -> Tensor:
        if self.smooth:
            y: Tensor = _SmoothBackward.apply(x)
            return y
        return F.relu(x)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "softplus": nn.Softplus,
    "parametric_softplus": ParametricSoftplus,
    "mish": nn.Mish,
    "celu": nn.CELU,
    "elu_2": lambda: nn.ELU(2.0),
    "celu_2": lambda: nn.CELU(2.0),
    "silu_rectified": lambda: Rectified(nn.SiLU()),
    "gelu_rectified": lambda: Rectified(nn.GELU(approximate="tanh")),
    "elu_rectified": lambda: Rectified(nn.ELU()),
    "smoothrelu": SmoothReLU,
    "relu_smooth_gradient": SmoothGradientReLU,
}


def activation(name: str) -> nn.Module:
    """Make a module of the activation `name` (a key of `ACTIVATIONS`). Use one per layer: some have parameters."""
    return ACTIVATIONS[name]()
