"""Removing Batch Normalization Boosts Adversarial Training (NoFrost, arXiv 2207.01156): timm's NF-ResNet-50."""

from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.with_timm import import_timm
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """Build timm's network, which the authors trained: `nf_resnet50`, or a batch-norm network for comparison."""
    net: nn.Module = import_timm().create_model(card.build["timm"], num_classes=card.classes)
    return net


def convert(_card: ModelCard, arrays: Arrays) -> Arrays:
    """Return the arrays unchanged: released files have timm's names (the reader removes DataParallel's `module.`)."""
    return arrays
