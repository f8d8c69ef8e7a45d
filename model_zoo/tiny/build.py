"""Small residual networks for 32-pixel images: batch, group or no normalisation, any activation, two depths."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from model_zoo.card import ModelCard
from model_zoo.errors import CardError, suggestion
from model_zoo.nets.activations import ACTIVATIONS, activation
from model_zoo.nets.normalisation import NormFactory, ScaledStdConv2d, batch_norm, group_norm
from model_zoo.weights import Arrays

INPUT_MEAN, INPUT_STD = 0.5, 0.25
"""Constants with which the network normalises images in [0, 1] itself; its cards therefore have mean 0 and std 1."""

GROUPS = 8
"""Number of groups in group norm; two channels per group in the first stage."""

RESIDUAL_SCALE = 1.0
"""Alpha of NF-ResNets (arXiv 2101.08692, section 3), the scale of residual branches. Theirs is 0.2, for dozens of
blocks. With three blocks, only the branches see more than 3x3 pixels and must contribute from the start."""


@dataclass(frozen=True)
class TinySpec:
    """Parameters of a tiny network, the keys of a card's `[build]` table."""

    blocks: tuple[int, ...] = (1, 1, 1)
    widths: tuple[int, ...] = (16, 32, 64)
    activation: str = "relu"
    norm: Literal["batch", "group", "none"] = "batch"
    classes: int = 10
    branches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise CardError(f"unknown activation {self.activation!r}{suggestion(self.activation, ACTIVATIONS)}")
        if self.branches and self.norm != "batch":
            raise CardError(f"branches are of batch norm, found norm {self.norm!r} with branches {self.branches}")
        if len(self.blocks) != len(self.widths):
            raise CardError(f"as many stages of blocks as widths are needed, found {self.blocks} and {self.widths}")

    @classmethod
    def from_card(cls, card: ModelCard) -> "TinySpec":
        """Build from the card's `[build]` table, classes and branches. Raises `CardError` for a key that is not a
        field."""
        known = cls.__dataclass_fields__
        for key in card.build:
            if key not in known:
                raise CardError(f"{card.name}: unknown key build.{key}{suggestion(key, known)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in card.build.items()}
        return cls(**values, classes=card.classes, branches=card.branches)


def build(card: ModelCard) -> nn.Module:
    """Build the network of `card`, with initial weights."""
    return network(TinySpec.from_card(card))


def convert(_card: ModelCard, arrays: Arrays) -> Arrays:
    """Return the arrays unchanged: the weights were saved by this network."""
    return arrays


def network(spec: TinySpec) -> nn.Module:
    """Build a network with initial weights; float [n, 3, h, w] -> logits [n, classes]."""
    trunk = _norm_free(spec) if spec.norm == "none" else _normalised(spec)
    return TinyResNet(trunk, spec.widths[-1], spec.classes)


class TinyResNet(nn.Module):
    """Residual network at a quarter of the input's resolution or less, global mean pooling, and a linear classifier."""

    def __init__(self, trunk: nn.Sequential, channels: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n, classes] of `x` float [n, 3, h, w], RGB in [0, 1]."""
        logits: Tensor = self.fc(self.trunk((x - INPUT_MEAN) / INPUT_STD).mean(dim=(2, 3)))
        return logits


class Place(NamedTuple):
    """Position of a block: its channels, its stride, and whether it begins a stage."""

    inputs: int
    outputs: int
    stride: int
    first: bool


def _places(spec: TinySpec) -> Iterator[Place]:
    """Yield every block's position after the stem; all stages but the first halve the resolution."""
    inputs = spec.widths[0]
    for stage, (count, width) in enumerate(zip(spec.blocks, spec.widths, strict=True)):
        for index in range(count):
            yield Place(inputs, width, 2 if stage > 0 and index == 0 else 1, index == 0)
            inputs = width


def _normalised(spec: TinySpec) -> nn.Sequential:
    stem = [_conv(3, spec.widths[0], 3, 2), _norm(spec)(spec.widths[0]), activation(spec.activation)]
    return nn.Sequential(*stem, *(BasicBlock(spec, place) for place in _places(spec)))


def _norm_free(spec: TinySpec) -> nn.Sequential:
    blocks, variance = [], 1.0
    for place in _places(spec):
        blocks.append(NormFreeBlock(spec, place, variance))
        variance = (1.0 if place.first else variance) + RESIDUAL_SCALE**2
    return nn.Sequential(ScaledStdConv2d(3, spec.widths[0], 3, 2, 1), *blocks, activation(spec.activation))


def _norm(spec: TinySpec) -> NormFactory:
    return group_norm(GROUPS) if spec.norm == "group" else batch_norm(branches=spec.branches)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions, with the activation last (arXiv 1512.03385, Figure 2)."""

    def __init__(self, spec: TinySpec, place: Place) -> None:
        super().__init__()
        inputs, outputs, stride, _ = place
        norm = _norm(spec)
        self.conv1, self.norm1 = _conv(inputs, outputs, 3, stride), norm(outputs)
        self.act1 = activation(spec.activation)
        self.conv2, self.norm2 = _conv(outputs, outputs, 3), norm(outputs)
        changes = inputs != outputs or stride != 1
        self.shortcut = nn.Sequential(_conv(inputs, outputs, 1, stride), norm(outputs)) if changes else nn.Identity()
        self.act2 = activation(spec.activation)

    def forward(self, x: Tensor) -> Tensor:
        """`x` float [n, inputs, h, w] -> [n, outputs, h / stride, w / stride]."""
        y = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        out: Tensor = self.act2(y + self.shortcut(x))
        return out


class NormFreeBlock(nn.Module):
    """Pre-activation block of NF-ResNets: weight-standardised convolutions, scaled residual branch, learned gain.

    Computes x + alpha g f(x / beta), where beta^2 is the expected variance at `x` and the learned g starts at 1 (arXiv
    2101.08692, section 3). Starting at 0, as in SkipInit, this shallow network did not learn shapes.
    """

    def __init__(self, spec: TinySpec, place: Place, variance: float) -> None:
        super().__init__()
        inputs, outputs, stride, _ = place
        self.beta = variance**0.5
        self.act1, self.act2 = activation(spec.activation), activation(spec.activation)
        self.conv1 = ScaledStdConv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = ScaledStdConv2d(outputs, outputs, 3, 1, 1)
        changes = inputs != outputs or stride != 1
        self.shortcut = ScaledStdConv2d(inputs, outputs, 1, stride) if changes else None
        self.skip_gain = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """`x` float [n, inputs, h, w] -> [n, outputs, h / stride, w / stride]."""
        y = self.act1(x) / self.beta  # ReLU commutes with a positive scale
        kept: Tensor = x if self.shortcut is None else self.shortcut(y)
        out: Tensor = self.conv2(self.act2(self.conv1(y)))
        return kept + RESIDUAL_SCALE * self.skip_gain * out
