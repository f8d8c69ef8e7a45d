"""Find a network's traits from its modules, for fields that the card leaves empty."""

from collections import Counter
from dataclasses import replace

from torch import nn

from model_zoo.nets.activations import ACTIVATIONS
from model_zoo.traits import Normalisation, Traits

_NAMES = {type(make()).__name__.casefold(): name for name, make in ACTIVATIONS.items() if "_" not in name}
_NAMES |= {"parametricsoftplus": "parametric_softplus", "smoothgradientrelu": "relu"}
_ALIASES = {"swish": "silu", "gelutanh": "gelu", "quickgelu": "quick_gelu", "relu6": "relu6", "hardswish": "hard_swish"}

_NORMALISATIONS: dict[str, Normalisation] = {
    "BatchNorm": "batch",
    "GroupNorm": "group",
    "LayerNorm": "layer",
    "InstanceNorm": "instance",
}


def activation_of(net: nn.Module) -> str:
    """Return the activation of most modules of the network, by its name in `ACTIVATIONS`; empty if none is found."""
    known = _NAMES | _ALIASES
    kinds = (type(module).__name__.casefold() for module in net.modules())
    counted = Counter(known[kind] for kind in kinds if kind in known)
    return counted.most_common(1)[0][0] if counted else ""


def normalisation_of(net: nn.Module) -> Normalisation:
    """Return the normalisation of most modules; empty if none is found: it may be a function, or there is none."""
    counted: Counter[Normalisation] = Counter()
    for module in net.modules():
        kind = type(module).__name__
        counted.update(name for word, name in _NORMALISATIONS.items() if word in kind)
    return counted.most_common(1)[0][0] if counted else ""


def traits_of(traits: Traits, net: nn.Module) -> Traits:
    """Return a card's traits, with activation and normalisation from the network if the card does not give them."""
    return replace(
        traits,
        activation=traits.activation or activation_of(net),
        normalisation=traits.normalisation or normalisation_of(net),
    )
