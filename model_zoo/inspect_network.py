"""Find a network's traits from its modules, for fields that the card leaves empty, and its own input normalisation."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from model_zoo.card import InputSpec
from model_zoo.errors import CardError
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


_OWN = re.compile(r"(?:^|_)(mean|std)$")


def check_normalised_once(net: nn.Module, spec: InputSpec) -> None:
    """Raise `CardError` for a network that holds the mean and std of its input while `spec` normalises that, too."""
    if set(spec.mean) == {0.0} and set(spec.std) == {1.0}:
        return
    for name, module in net.named_modules():
        held = dict(_of_channels(module))
        if "std" in held and "mean" in held and set(held["std"]) != {1.0}:
            raise CardError(
                f"the network normalises its input itself ({name or type(net).__name__}: mean {held['mean']}, std "
                f"{held['std']}), and would be given images that are normalised already (mean {spec.mean}, std "
                f"{spec.std}): pass mean=0,0,0 and std=1,1,1"
            )


def _of_channels(module: nn.Module) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield `mean` and `std` with three numbers each, where a module holds such, except a batch norm's."""
    values: dict[str, Any] = {**vars(module), **module._buffers, **module._parameters}
    for name, value in values.items():
        if (kind := _OWN.search(name)) and "running" not in name and isinstance(value, torch.Tensor | list | tuple):
            try:
                numbers = torch.as_tensor(value).detach().double().flatten().tolist()
            except (TypeError, ValueError, RuntimeError):
                continue
            if len(numbers) == 3 and all(map(math.isfinite, numbers)):
                yield kind[1], tuple(round(number, 6) for number in numbers)


def class_names_of(net: nn.Module) -> tuple[str, ...]:
    """Return the names of a network's classes, in its order, where it holds them as Hugging Face's `config.id2label`,
    timm's `label_names`, a list (`classes`, `class_names`, `categories`) or a dict of indices; empty if it does not."""
    config, timm = getattr(net, "config", None), getattr(net, "pretrained_cfg", None)
    held = [getattr(config, "id2label", None), timm.get("label_names") if isinstance(timm, dict) else None]
    held += [getattr(net, name, None) for name in ("id2label", "idx_to_class", "class_names", "classes", "categories")]
    if isinstance(places := getattr(net, "class_to_idx", None), dict):
        held.append({place: name for name, place in places.items()})
    for names in held:
        if isinstance(names, dict) and sorted(map(str, names)) == sorted(map(str, range(len(names)))):
            names = [names[key] for key in sorted(names, key=int)]
        if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()
