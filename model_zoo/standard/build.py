"""Networks without a robustness method: torchvision's, timm's, and EfficientNet-Lite (TensorFlow's, converted)."""

import re
from typing import Any

import torchvision
from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.with_timm import import_timm, read_by_timm
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """Build the network with the constructor of the library named on the card."""
    if "torchvision" in card.build:
        net: nn.Module = torchvision.models.get_model(card.build["torchvision"], weights=None, num_classes=card.classes)
    else:
        net = import_timm().create_model(card.build["timm"], num_classes=card.classes, **_asked(card))
    return net


def _asked(card: ModelCard) -> dict[str, Any]:
    """Return the card's further arguments of timm's constructor, such as an activation (`act_layer = "gelu"`)."""
    return {key: card.build[key] for key in ("act_layer",) if key in card.build}


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Rename arrays of EfficientNet-Lite, whose blocks are numbered throughout and timm's by stage; others have the
    library's names, possibly those of an older timm."""
    if "repeats" not in card.build:
        return _by_timm(card, arrays) if "timm" in card.build else arrays
    repeats: list[int] = card.build["repeats"]
    stage_of = [(stage, index) for stage, count in enumerate(repeats) for index in range(count)]
    return {_rename(key, stage_of): value for key, value in arrays.items()}


def _by_timm(card: ModelCard, arrays: Arrays) -> Arrays:
    own = {"num_classes": card.classes, "label_offset": 0}  # otherwise timm drops or cuts a head of another size
    asked = {"num_classes": card.classes, "pretrained_cfg_overlay": own, **_asked(card)}
    return read_by_timm(card.build["timm"], arrays, card.name, **asked)


_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def _rename(key: str, stage_of: list[tuple[int, int]]) -> str:
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None or int(block[1]) >= len(stage_of):
        layer, _, leaf = key.partition(".")
        return f"{_OUTER.get(layer, layer)}.{leaf}"
    stage, index = stage_of[int(block[1])]
    names = _FIRST if stage == 0 else _EXPANDED  # stage 0 does not expand
    return f"blocks.{stage}.{index}.{names.get(block[2], block[2])}.{block[3]}"
