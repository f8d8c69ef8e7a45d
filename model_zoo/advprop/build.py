"""AdvProp (arXiv 1911.09665): EfficientNets in timm's conversion, and ResNets with any number of batch norms."""

import timm
from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.mixture_names import from_mixture
from model_zoo.nets.resnet import ResNet, ResNetSpec
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """timm's network where the card names one, or a ResNet with the card's normalisation branches."""
    if "timm" in card.build:
        net: nn.Module = timm.create_model(card.build["timm"], num_classes=card.classes)
        return net
    return ResNet(ResNetSpec.from_card(card))


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """timm's files carry its names; ResNets may come with auxiliary batch norms."""
    return from_mixture(card.branches, arrays)
