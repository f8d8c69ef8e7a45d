"""Intriguing properties of adversarial training at scale (arXiv 1906.03787): ResNets with one or several batch norms.

Its own weights were never released. Those of Feature Denoising (arXiv 1812.03411), the same recipe by the same first
author, are tensorpack's and read here; a user's own file carries torchvision's names (see the room's README).
"""

from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.mixture_names import from_mixture
from model_zoo.nets.resnet import ResNet, ResNetSpec
from model_zoo.nets.tensorpack_names import from_tensorpack
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """A ResNet as the card says."""
    return ResNet(ResNetSpec.from_card(card))


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """tensorpack's names for Feature Denoising's files, torchvision's with auxiliary batch norms for a user's own."""
    if "conv0/W" in arrays:
        return from_tensorpack(ResNetSpec.from_card(card), arrays)
    return from_mixture(card.branches, arrays)
