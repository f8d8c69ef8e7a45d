"""AdvProp (arXiv 1911.09665): EfficientNets in timm's conversion, and ResNets with any number of batch norms."""

from torch import nn

from model_zoo.card import ModelCard
from model_zoo.nets.mixture_names import from_mixture
from model_zoo.nets.resnet import ResNet, ResNetSpec
from model_zoo.nets.with_timm import import_timm
from model_zoo.weights import Arrays


def build(card: ModelCard) -> nn.Module:
    """Build timm's network if the card names one, else a ResNet with the card's normalisation branches."""
    if "timm" in card.build:
        net: nn.Module = import_timm().create_model(card.build["timm"], num_classes=card.classes)
        return net
    return ResNet(ResNetSpec.from_card(card))


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Rename a ResNet's auxiliary batch norms and remove EasyRobust's wrapper; files of timm keep their names."""
    if "timm" in card.build:
        return arrays
    return from_mixture(card.branches, _unwrapped(arrays))


def _unwrapped(arrays: Arrays) -> Arrays:
    """Remove the prefix `1.` of alibaba/easyrobust, which trains `Sequential(normalise, net)`."""
    if "1.conv1.weight" not in arrays:
        return arrays
    return {key.removeprefix("1."): value for key, value in arrays.items() if key not in ("0.mean", "0.std")}
