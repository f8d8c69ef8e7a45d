"""Intriguing properties of adversarial training at scale (arXiv 1906.03787): ResNets with one or several batch norms.

The paper's weights were not released. Those of Feature Denoising (arXiv 1812.03411), trained with the same recipe by
the same first author, are in tensorpack's format; a user's file has torchvision's names (see the room's README).
"""

from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.mixture_names import from_mixture
from model_zoo.nets.resnet import ResNet, ResNetSpec
from model_zoo.nets.tensorpack_names import from_tensorpack
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """Build the card's ResNet."""
    return ResNet(ResNetSpec.from_card(card))


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Convert tensorpack's names (Feature Denoising's files), or torchvision's with auxiliary batch norms (others)."""
    if "conv0/W" in arrays:
        return from_tensorpack(ResNetSpec.from_card(card), arrays)
    return from_mixture(card.branches, arrays)
