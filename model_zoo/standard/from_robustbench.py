"""``robustbench:NAME``: RobustBench's ImageNet zoos (arXiv 2010.09670), built by the package robustbench.

A name is searched in all zoos: Linf and corruptions (3D corruptions use the latter's models).

robustbench 1.1.1 imports AutoAttack under a name that PyPI no longer has, and `pkg_resources`. The extra `robustbench`
installs what it needs, and the top-level module `autoattack` provides the old name.
"""

import dataclasses
import functools
import importlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import UnknownModelError, suggestion
from model_zoo.nets.with_timm import import_timm
from model_zoo.outside import OutsideName
from model_zoo.transforms import input_of
from model_zoo.weights import Arrays

_INSTALL = "robustbench: models need the extra: pip install 'robust-imagenet-bench[robustbench]'"
_PAPER = "RobustBench, arXiv 2010.09670; the entry's own paper on robustbench.github.io"


def card(asked: OutsideName) -> ModelCard:
    """Make the card from the entry. Raises `UnknownModelError` without the extra or for an unknown entry."""
    asked.check_options()
    entry = _entry(asked.name)
    return ModelCard(
        name=f"robustbench:{asked.name}",
        method="standard",
        room="standard.from_robustbench",
        architecture=asked.name,
        input=_input(entry),  # robustbench's networks normalise their input
        weights=WeightsSpec("torch", "public", "see robustbench", _files(entry)),
        paper=_PAPER,
        build={"robustbench": asked.name},
    )


@dataclass(frozen=True)
class _RobustBenchEntry:
    """One entry of robustbench's ImageNet zoos."""

    name: str
    threat: str
    about: Mapping[str, Any]

    @property
    def timm(self) -> str:
        """Name under which robustbench registers the network with timm; empty for others."""
        name = f"{self.name.lower().replace('-', '_')}_imagenet_{self.threat.lower()}"
        return name if import_timm().is_model(name) else ""


def _entry(name: str) -> _RobustBenchEntry:
    known_zoos = zoos()
    for threat, entries in known_zoos.items():
        if name in entries:
            return _RobustBenchEntry(name, threat, entries[name])
    known = list(dict.fromkeys(entry for entries in known_zoos.values() for entry in entries))
    hint = suggestion(name, known)
    raise UnknownModelError(f"robustbench has no ImageNet model {name!r}{hint}; it has {', '.join(known)}")


def _input(entry: _RobustBenchEntry) -> InputSpec:
    """Return the input of robustbench's `get_preprocessing`: timm's configuration for its networks, else by name."""
    if entry.timm:
        cfg: Any = import_timm().get_pretrained_cfg(entry.timm)
        spec = InputSpec(
            size=cfg.input_size[1], resize=math.floor(cfg.input_size[1] / cfg.crop_pct), interpolation=cfg.interpolation
        )
    else:
        spec = input_of(importlib.import_module("robustbench.data").PREPROCESSINGS[entry.about["preprocessing"]])
    return dataclasses.replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def _files(entry: _RobustBenchEntry) -> tuple[WeightFile, ...]:
    """Return the entry's files: one per member for an ensemble, the library's for networks of timm or torchvision."""
    name, drive = entry.name, entry.about.get("gdrive_id")
    if name in _OF_TORCHVISION:
        return (_OF_TORCHVISION[name],)
    if entry.timm:
        url = import_timm().get_pretrained_cfg(entry.timm).url or ""
        return (WeightFile(f"{name}.pt", url),)
    if isinstance(drive, list):
        return tuple(WeightFile(f"{name}.pt_m{i}.pt", _drive(one)) for i, one in enumerate(drive))
    return (WeightFile(f"{name}.pt", _drive(drive)),) if drive else ()


def _drive(key: str) -> str:
    return f"https://drive.google.com/uc?id={key}"


_OF_TORCHVISION = {
    "Standard_R50": WeightFile(
        "resnet50-0676ba61.pth", "https://download.pytorch.org/models/resnet50-0676ba61.pth", "0676ba61"
    )
}
"""Entries taken from torchvision (`resnet50(pretrained=True)`: the first weights)."""


_ALIKE = {"Standard_R50": "Salman2020Do_R50"}
"""Entry whose constructor downloads weights -> an entry with the same network that does not."""


def build(card: ModelCard) -> nn.Module:
    """Build robustbench's network, whose input is RGB in [0, 1]. Nothing is downloaded."""
    name = card.build["robustbench"]
    entry = _entry(_ALIKE.get(name, name))
    if entry.timm:
        net: nn.Module = import_timm().create_model(entry.timm, num_classes=1000)
        return net
    made: nn.Module = entry.about["model"]()
    return made


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Rename like robustbench: remove wrappers' prefixes, use timm's names for Swin, add the normalising wrapper's."""
    return _for(build(card), arrays)


def _for(net: nn.Module, arrays: Arrays) -> Arrays:
    state, inner = net.state_dict(), getattr(net, "model", net)
    bare = {key.removeprefix("module.").removeprefix("model."): value for key, value in arrays.items()}
    if type(inner).__name__ == "SwinTransformer":
        bare = import_timm("timm.models.swin_transformer").checkpoint_filter_fn(bare, inner)
    wrapped = {f"model.{key}": value for key, value in bare.items() if f"model.{key}" in state}
    constants = {key: value for key, value in state.items() if key in _CONSTANTS}
    rest = {key: value for key, value in bare.items() if f"model.{key}" not in state}
    return {**constants, **rest, **wrapped}


def join(card: ModelCard, members: Sequence[Arrays]) -> Arrays:
    """Return an ensemble's state from its members' files, in order (MixedNUTS: an accurate and a robust member)."""
    net = build(card)
    state = dict(net.state_dict())
    for name, arrays in zip(_MEMBERS, members, strict=True):
        found = _for(net.get_submodule(name), arrays)
        state |= {f"{name}.{key}": value for key, value in found.items()}
    return state


_MEMBERS = ("std_model", "rob_model")

_CONSTANTS = frozenset({"mu", "sigma", "mean", "std", "normalize.mean", "normalize.std"})
"""Buffers of robustbench's normalising wrappers, which its files lack."""


@functools.cache
def zoos() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return robustbench's ImageNet zoos by threat model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources is deprecated
        try:
            models = importlib.import_module("robustbench.model_zoo.models")
            enums = importlib.import_module("robustbench.model_zoo.enums")
        except ImportError as error:
            raise UnknownModelError(f"{_INSTALL} ({error})") from None
    return {threat.value: zoo for threat, zoo in models.model_dicts[enums.BenchmarkDataset.imagenet].items()}
