"""Removing Batch Normalization Boosts Adversarial Training (NoFrost, arXiv 2207.01156): timm's NF-ResNet-50."""

from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.with_timm import import_timm
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """The authors trained timm's own networks, so these are they: `nf_resnet50`, or a batch-norm rival."""
    net: nn.Module = import_timm().create_model(card.build["timm"], num_classes=card.classes)
    return net


def convert(_card: ModelCard, arrays: Arrays) -> Arrays:
    """The released files carry timm's names (the reader has taken DataParallel's `module.` off)."""
    return arrays
