"""``robustbench:NAME``: RobustBench's ImageNet Linf zoo (arXiv 2010.09670), built by robustbench itself.

robustbench 1.1.1 imports AutoAttack under a name that PyPI no longer serves and looks for `pkg_resources`; the extra
`robustbench` brings what it needs, and `_robustbench` gives AutoAttack its old name for the length of the import.
"""

import functools
import importlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import UnknownModelError, suggestion
from model_zoo.standard.outside import OutsideName
from model_zoo.weights import Arrays

_INSTALL = "robustbench: models need the extra: pip install 'robust-imagenet-bench[robustbench]'"
_PAPER = "RobustBench, arXiv 2010.09670; the entry's own paper on robustbench.github.io"
_UNIT_MEAN, _UNIT_STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # robustbench's networks normalise their own input
_PREPROCESSING: dict[str | None, tuple[int, int, str]] = {
    # robustbench.data.PREPROCESSINGS: size, resize, interpolation. Its Crop288 crops without, and its Res224 resizes
    # without regard to shape; here both keep the shape and crop the centre.
    "Res256Crop224": (224, 256, "bilinear"),
    "BicubicRes256Crop224": (224, 256, "bicubic"),
    "Crop288": (288, 329, "bilinear"),
    "Res224": (224, 224, "bilinear"),
    None: (224, 256, "bicubic"),
}


def card(asked: OutsideName) -> ModelCard:
    """The entry's address and preprocessing. Raises `UnknownModelError` without the extra or for an unknown entry."""
    asked.check_options()
    entry = _entry(asked.name)
    size, resize, interpolation = _PREPROCESSING[entry["preprocessing"]]
    return ModelCard(
        name=f"robustbench:{asked.name}",
        method="standard",
        room="standard.from_robustbench",
        architecture=asked.name,
        input=InputSpec(
            size=size,
            resize=resize,
            interpolation="bicubic" if interpolation == "bicubic" else "bilinear",
            mean=_UNIT_MEAN,
            std=_UNIT_STD,
        ),
        weights=WeightsSpec("torch", "public", "see robustbench", _files(asked.name, entry)),
        paper=_PAPER,
        build={"robustbench": asked.name},
    )


def _entry(name: str) -> Mapping[str, Any]:
    entries = _zoo()
    if name not in entries:
        hint = suggestion(name, entries)
        raise UnknownModelError(f"robustbench has no ImageNet Linf model {name!r}{hint}; it has {', '.join(entries)}")
    if isinstance(entries[name].get("gdrive_id"), list):
        raise UnknownModelError(f"robustbench:{name} is an ensemble of several files, which this zoo does not load")
    return entries[name]


def _files(name: str, entry: Mapping[str, Any]) -> tuple[WeightFile, ...]:
    drive = entry.get("gdrive_id")
    if drive:
        return (WeightFile(f"{name}.pt", f"https://drive.google.com/uc?id={drive}"),)
    import timm

    if not timm.is_model(_timm_name(name)):
        return ()
    cfg: Any = timm.get_pretrained_cfg(_timm_name(name))
    return (WeightFile(f"{name}.pt", cfg.url or ""),)


def _timm_name(name: str) -> str:
    """The name under which robustbench registers an entry with timm, where it does."""
    return f"{name.lower().replace('-', '_')}_imagenet_linf"


def build(card: ModelCard) -> nn.Module:
    """robustbench's own network; its input is RGB in [0, 1]."""
    import timm

    name = card.build["robustbench"]
    entry = _entry(name)
    if timm.is_model(_timm_name(name)):
        net: nn.Module = timm.create_model(_timm_name(name), num_classes=1000)
        return net
    made: nn.Module = entry["model"]()
    return made


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Rename as robustbench does: wrappers' prefixes off, the prefix of its own normalising wrapper on where it has
    one."""
    state = build(card).state_dict()
    bare = {key.removeprefix("module.").removeprefix("model."): value for key, value in arrays.items()}
    wrapped = {f"model.{key}": value for key, value in bare.items() if f"model.{key}" in state}
    constants = {key: value for key, value in state.items() if key in _CONSTANTS}
    rest = {key: value for key, value in bare.items() if f"model.{key}" not in state}
    return {**constants, **rest, **wrapped}


_CONSTANTS = frozenset({"mu", "sigma", "mean", "std", "normalize.mean", "normalize.std"})
"""Buffers of robustbench's normalising wrappers, which its files lack."""


@functools.cache
def _zoo() -> Mapping[str, Mapping[str, Any]]:
    with _autoattack_by_its_old_name(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources announces its own end
        try:
            models = importlib.import_module("robustbench.model_zoo.models")
            enums = importlib.import_module("robustbench.model_zoo.enums")
        except ImportError as error:
            raise UnknownModelError(f"{_INSTALL} ({error})") from None
    zoo: Mapping[str, Mapping[str, Any]] = models.model_dicts[enums.BenchmarkDataset.imagenet][enums.ThreatModel.Linf]
    return zoo


@contextmanager
def _autoattack_by_its_old_name() -> Iterator[None]:
    aliases = {}
    for suffix in ("", ".state"):
        try:
            aliases[f"autoattack{suffix}"] = importlib.import_module(f"pyautoattack{suffix}")
        except ImportError:
            break
    added = {key: module for key, module in aliases.items() if key not in sys.modules}
    sys.modules.update(added)
    try:
        yield
    finally:
        for key in added:
            del sys.modules[key]
