"""Smooth Adversarial Training (arXiv 2006.14536): its released tensorpack ResNets and TensorFlow EfficientNets."""

from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.efficientnet import EfficientNetSpec, efficientnet
from model_zoo.nets.resnet import ResNet, ResNetSpec
from model_zoo.nets.tensorflow_names import from_tensorflow
from model_zoo.nets.tensorpack_names import from_tensorpack
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """Build an EfficientNet, or a ResNet with tensorpack's padding."""
    if _is_efficientnet(card):
        return efficientnet(EfficientNetSpec.from_card(card))
    return ResNet(ResNetSpec.from_card(card))


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Convert TensorFlow variables, whose names follow a different scheme for each kind of network."""
    if _is_efficientnet(card):
        return from_tensorflow(EfficientNetSpec.from_card(card), arrays)
    return from_tensorpack(ResNetSpec.from_card(card), arrays)


def _is_efficientnet(card: ModelCard) -> bool:
    return card.architecture.startswith("efficientnet")
