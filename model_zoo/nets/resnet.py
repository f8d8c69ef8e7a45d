"""Bottleneck ResNets of any depth, with tensorpack's or torch's padding, groups, any activation, and norm branches.

Parameters have torchvision's names (`layer1.0.conv1.weight`), so that weights of its networks load unchanged. Sources:
arXiv 1512.03385 (stride in the 3x3 convolution, as in torchvision v1.5 and tensorpack); tensorpack's examples/ResNet;
facebookresearch/ImageNet-Adversarial-Training.
"""

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from model_zoo.card import ModelCard
from model_zoo.errors import CardError, suggestion
from model_zoo.nets.activations import ACTIVATIONS, activation
from model_zoo.nets.denoising import DENOISERS
from model_zoo.nets.normalisation import NormFactory, batch_norm, group_norm
from model_zoo.nets.padding import SameMaxPool2d, same_conv, symmetric_conv

Padding = Literal["torch", "same", "same_pool"]
"""Padding: `torch` symmetric; `same` TensorFlow's SAME in all layers (Feature Denoising); `same_pool` symmetric in
convolutions and SAME in the max-pool (Smooth Adversarial Training)."""

EXPANSION = 4
"""Ratio of a bottleneck's output channels to its stage's width."""

_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
"""Depth -> blocks per stage (arXiv 1512.03385, Table 1; 200: arXiv 1603.05027)."""


@dataclass(frozen=True)
class ResNetSpec:
    """Parameters of a ResNet, the keys of a card's `[build]` table. The depth is given by `depth` or `blocks`."""

    depth: int = 50
    blocks: tuple[int, ...] = ()
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: int = 64
    groups: int = 1
    group_width: int = 64
    """Channels per group in the 3x3 convolutions of the first stage; 4 with 32 groups gives ResNeXt 32x4d."""
    activation: str = "relu"
    padding: Padding = "torch"
    norm: Literal["batch", "group"] = "batch"
    denoise: Literal["", "stage", "block"] = ""
    """Position of denoising blocks: after each stage (embedded Gaussian), or after every block (dot product)."""
    classes: int = 1000
    branches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise CardError(f"unknown activation {self.activation!r}{suggestion(self.activation, ACTIVATIONS)}")
        if not self.blocks:
            object.__setattr__(self, "blocks", blocks_of(self.depth))
        if len(self.blocks) != len(self.widths):
            raise CardError(f"a ResNet needs as many stages of blocks as widths, found {self.blocks}, {self.widths}")

    @classmethod
    def from_card(cls, card: ModelCard) -> "ResNetSpec":
        """Build from the card's `[build]` table, classes and branches. Raises `CardError` for a key that is not a
        field."""
        known = cls.__dataclass_fields__
        for key in card.build:
            if key not in known:
                raise CardError(f"{card.name}: unknown key build.{key}{suggestion(key, known)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in card.build.items()}
        return cls(**values, classes=card.classes, branches=card.branches)

    def norm_factory(self) -> NormFactory:
        """Return the factory of the spec's normalisation layers."""
        return group_norm() if self.norm == "group" else batch_norm(branches=self.branches)


def blocks_of(depth: int) -> tuple[int, ...]:
    """Return the number of blocks in each stage of a bottleneck ResNet with `depth` layers.

    Published layouts are used where they exist. Deeper networks extend ResNet-200: three blocks in the outer stages,
    the rest 2:3 in the inner ones. This is our choice: arXiv 1906.03787 names ResNet-638 without its layout.
    """
    if depth in _BLOCKS:
        return _BLOCKS[depth]
    total = (depth - 2) // 3
    if depth < 38 or depth != 3 * total + 2:
        raise CardError(f"a bottleneck ResNet has 3 n + 2 layers, at least 38; found depth {depth}")
    second = round((total - 6) * 2 / 5)
    return 3, second, total - 6 - second, 3


class Bottleneck(nn.Module):
    """Residual block of 1x1, 3x3 and 1x1 convolutions with normalisation, activations and an optional denoiser."""

    def __init__(self, spec: ResNetSpec, inputs: int, width: int, stride: int, denoise: bool) -> None:
        super().__init__()
        conv = same_conv if spec.padding == "same" else symmetric_conv
        norm = spec.norm_factory()
        inner, outputs = width * spec.groups * spec.group_width // 64, width * EXPANSION
        self.conv1, self.bn1 = conv(inputs, inner, 1), norm(inner)
        self.act1 = activation(spec.activation)
        self.conv2, self.bn2 = conv(inner, inner, 3, stride, spec.groups), norm(inner)
        self.act2 = activation(spec.activation)
        self.conv3, self.bn3 = conv(inner, outputs, 1), norm(outputs)
        changes = inputs != outputs or stride != 1
        self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), norm(outputs)) if changes else nn.Identity()
        self.act3 = activation(spec.activation)
        self.denoise = DENOISERS[spec.denoise](outputs, norm) if denoise else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Apply to `x` float [n, inputs, h, w]; returns [n, 4 width, h / stride, w / stride]."""
        y = self.act1(self.bn1(self.conv1(x)))
        y = self.act2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        out: Tensor = self.denoise(self.act3(y + self.downsample(x)))
        return out


class ResNet(nn.Module):
    """ResNet with the parameters of `spec`; float [n, 3, h, w] -> logits [n, classes]."""

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        conv = same_conv if spec.padding == "same" else symmetric_conv
        self.conv1, self.bn1 = conv(3, spec.stem, 7, 2), spec.norm_factory()(spec.stem)
        self.act1 = activation(spec.activation)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if spec.padding == "torch" else SameMaxPool2d()
        inputs = spec.stem
        for stage, (count, width) in enumerate(zip(spec.blocks, spec.widths, strict=True)):
            self.add_module(f"layer{stage + 1}", _stage(spec, inputs, width, count, 1 if stage == 0 else 2))
            inputs = width * EXPANSION
        self.stages = len(spec.blocks)
        self.fc = nn.Linear(inputs, spec.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.act1(self.bn1(self.conv1(x))))
        for stage in range(self.stages):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def _stage(spec: ResNetSpec, inputs: int, width: int, count: int, stride: int) -> nn.Sequential:
    last = count - 1
    blocks = [
        Bottleneck(
            spec,
            inputs if index == 0 else width * EXPANSION,
            width,
            stride if index == 0 else 1,
            denoise=spec.denoise == "block" or (spec.denoise == "stage" and index == last),
        )
        for index in range(count)
    ]
    return nn.Sequential(*blocks)
