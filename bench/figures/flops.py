"""Count of a network's multiply-adds, from shapes alone (device `meta`)."""

import functools
import math
from typing import Any

import torch
from torch import Tensor, nn

from model_zoo.build import build
from model_zoo.card import ModelCard
from model_zoo.errors import ZooError
from model_zoo.nets.resnet import ResNet, ResNetSpec


def multiply_adds(net: nn.Module, size: int) -> float:
    """Count the multiply-adds of convolutions and linear layers for one image of `size` x `size` pixels.

    The papers call these FLOPs. `net` is on the device `meta`.
    """
    total = 0.0

    def count(module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            fan_in = module.in_channels // module.groups * math.prod(module.kernel_size)
            total += output.numel() * fan_in
        elif isinstance(module, nn.Linear):
            total += output.numel() * module.in_features

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        net.eval()(torch.empty(1, 3, size, size, device="meta"))
    for hook in hooks:
        hook.remove()
    return total


@functools.cache
def multiply_adds_of_resnet(depth: int) -> float:
    """Count the multiply-adds of a bottleneck ResNet of `depth` layers for one image of 224 x 224 pixels."""
    with torch.device("meta"):
        return multiply_adds(ResNet(ResNetSpec(depth=depth)), 224)


@functools.lru_cache(maxsize=256)
def _counted(name: str, size: int) -> float | None:
    from model_zoo.registry import find_card

    try:
        with torch.device("meta"):
            net = build(find_card(name))
        return multiply_adds(net, size)
    except (ZooError, RuntimeError, NotImplementedError):
        return None


def flops_of_card(card: ModelCard) -> float | None:
    """Count the multiply-adds of the card's network at its input size; None if it cannot be built without its file."""
    return None if card.name.startswith("file:") else _counted(card.name, card.input.size)
