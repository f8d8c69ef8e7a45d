"""``torchvision:NAME``: torchvision's classifiers, with its newest ImageNet weights or those of ``?weights=``."""

import re
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

from torch import nn
from torchvision import models

from model_zoo.card import ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import UnknownModelError, WeightsError, suggestion
from model_zoo.formats.checkpoint import StateDict, versions_of
from model_zoo.outside import OutsideName
from model_zoo.transforms import input_of
from model_zoo.weights import Arrays


def card(asked: OutsideName) -> ModelCard:
    """Make the card from torchvision's record of the weights: input, address and hash."""
    asked.check_options("weights")
    classifiers = models.list_models(module=models)
    if asked.name not in classifiers:
        raise UnknownModelError(f"torchvision has no classifier {asked.name!r}{suggestion(asked.name, classifiers)}")
    known: Any = models.get_model_weights(asked.name)
    choice = asked.options.get("weights", known.DEFAULT.name)
    if choice not in known.__members__:
        raise UnknownModelError(f"torchvision:{asked.name} has the weights {', '.join(known.__members__)}")
    return ModelCard(
        name=f"torchvision:{asked.name}" + (f"?weights={choice}" if "weights" in asked.options else ""),
        method="standard",
        room="standard.from_torchvision",
        architecture=asked.name,
        input=input_of(known[choice].transforms()),
        weights=_weights(known[choice]),
        build={"torchvision": asked.name},
    )


def _weights(weights: Enum) -> WeightsSpec:
    url: str = weights.value.url
    name = PurePosixPath(url).name
    sha256 = PurePosixPath(name).stem.rpartition("-")[2]  # resnet50-11ad3fa6.pth: the digest's first eight digits
    return WeightsSpec("torch", "public", "see torchvision", (WeightFile(name, url, sha256),))


def build(card: ModelCard) -> nn.Module:
    """Build the network with torchvision's constructor."""
    name = card.build["torchvision"]
    # A vision transformer's position embeddings depend on the image size of its weights: 224, 384, 512 or 518.
    side = {"image_size": card.input.size} if name.startswith("vit_") else {}
    net: nn.Module = models.get_model(name, weights=None, **_QUIET.get(name, {}), **side)
    return net


_QUIET: dict[str, dict[str, Any]] = {
    "googlenet": {"init_weights": False, "transform_input": True},
    "inception_v3": {"init_weights": False, "transform_input": True},
}
"""Arguments that torchvision sets for pretrained weights of these two networks."""


_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)")


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Convert like torchvision's loading: DenseNet's files have older names; vision transformers rename parameters
    according to the version stored with the tensors."""
    names = {name: match[1] + match[2] for name in arrays if (match := _DENSENET.fullmatch(name))}
    state = StateDict((names.get(name, name), tensor) for name, tensor in arrays.items())
    state._metadata = versions_of(arrays)
    net = build(card)
    try:
        net.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"the weights do not fit {card.name}: {error}") from None
    loaded: Arrays = net.state_dict()
    return loaded
