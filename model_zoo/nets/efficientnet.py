"""EfficientNets of any width and depth (arXiv 1905.11946), made of timm's blocks, with TensorFlow's padding."""

import math
from dataclasses import dataclass
from functools import partial

from torch import nn

from model_zoo.card import ModelCard
from model_zoo.errors import CardError, suggestion
from model_zoo.nets.with_timm import import_timm

_STAGES = (
    "ds_r1_k3_s1_e1_c16_se0.25",
    "ir_r2_k3_s2_e6_c24_se0.25",
    "ir_r2_k5_s2_e6_c40_se0.25",
    "ir_r3_k3_s2_e6_c80_se0.25",
    "ir_r3_k5_s1_e6_c112_se0.25",
    "ir_r4_k5_s2_e6_c192_se0.25",
    "ir_r1_k3_s1_e6_c320_se0.25",
)
"""EfficientNet-B0 (Table 1) in timm's notation: kind, repeats, kernel, stride, expansion, channels, SE ratio."""

_REPEATS = (1, 2, 2, 3, 3, 4, 1)
_STEM, _HEAD = 32, 1280


@dataclass(frozen=True)
class EfficientNetSpec:
    """Parameters of an EfficientNet, the keys of a card's `[build]` table."""

    width: float = 1.0
    depth: float = 1.0
    bn_eps: float = 1e-3
    """Batch norm's epsilon: 1e-3 in TensorFlow and AdvProp, 1e-5 in Smooth Adversarial Training."""
    average: bool = False
    """Whether to read the exponential moving averages of a TensorFlow checkpoint instead of the variables."""
    classes: int = 1000

    @classmethod
    def from_card(cls, card: ModelCard) -> "EfficientNetSpec":
        """Build from the card's `[build]` table. Raises `CardError` for a key that is not a field."""
        known = cls.__dataclass_fields__
        for key in card.build:
            if key not in known:
                raise CardError(f"{card.name}: unknown key build.{key}{suggestion(key, known)}")
        return cls(**card.build, classes=card.classes)

    @property
    def repeats(self) -> tuple[int, ...]:
        """Number of blocks in each stage."""
        return tuple(math.ceil(self.depth * r) for r in _REPEATS)


def efficientnet(spec: EfficientNetSpec) -> nn.Module:
    """Build the network of `spec`, float [n, 3, h, w] -> logits [n, classes], with timm's parameter names."""
    builder = import_timm("timm.models._efficientnet_builder")
    channels = partial(builder.round_channels, multiplier=spec.width)
    net: nn.Module = import_timm("timm.models.efficientnet").EfficientNet(
        builder.decode_arch_def([[stage] for stage in _STAGES], spec.depth),
        num_classes=spec.classes,
        num_features=channels(_HEAD),
        stem_size=_STEM,
        round_chs_fn=channels,
        act_layer=nn.SiLU,
        norm_layer=partial(nn.BatchNorm2d, eps=spec.bn_eps),
        pad_type="same",
    )
    return net
