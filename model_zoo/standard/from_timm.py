"""``timm:NAME``: any ImageNet-1k classifier of timm; its `pretrained_cfg` gives input, address and licence."""

import math
from pathlib import PurePosixPath
from typing import Any, get_args

from torch import nn

from model_zoo.card import Geometry, InputSpec, Interpolation, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import UnknownModelError, suggestion
from model_zoo.nets.with_timm import import_timm, read_by_timm
from model_zoo.outside import OutsideName
from model_zoo.weights import Arrays

timm = import_timm()


def card(asked: OutsideName) -> ModelCard:
    """Make the card from timm's `pretrained_cfg`. Raises `UnknownModelError` unless it has ImageNet's 1000 classes."""
    asked.check_options()
    if not timm.is_model(asked.name.partition(".")[0]):
        raise UnknownModelError(f"timm has no model {asked.name!r}{suggestion(asked.name, timm.list_models())}")
    try:
        cfg: Any = timm.get_pretrained_cfg(asked.name)
    except RuntimeError:  # an unknown tag after the dot
        cfg = None
    if cfg is None or not cfg.has_weights:
        known = timm.list_models(asked.name.partition(".")[0] + ".*", pretrained=True)
        raise UnknownModelError(
            f"timm has no weights {asked.name!r}; it has {', '.join(known) or 'none of this model'}"
        )
    if cfg.num_classes - (cfg.label_offset or 0) != 1000:
        raise UnknownModelError(f"timm:{asked.name} has {cfg.num_classes} classes; only ImageNet's 1000 can be scored")
    return ModelCard(
        name=f"timm:{asked.name}",
        method="standard",
        room="standard.from_timm",
        architecture=cfg.architecture,
        input=input_spec(cfg),
        weights=_weights(cfg),
        paper=cfg.paper_name or "",
        build={"timm": asked.name},
    )


def input_spec(cfg: Any) -> InputSpec:
    """Return the input of timm's `validate.py`: the test size and crop if there are any.

    Raises `UnknownModelError` for inputs that are not supported: not three channels, or not square.
    """
    channels, height, size = cfg.test_input_size or cfg.input_size
    if channels != 3 or height != size:
        raise UnknownModelError(f"timm:{cfg.architecture} takes inputs of {channels} x {height} x {size}, not squares")
    interpolation: Any = cfg.interpolation or "bicubic"
    if interpolation not in get_args(Interpolation):
        raise UnknownModelError(f"timm:{cfg.architecture}: its interpolation {interpolation!r} is not known here")
    return InputSpec(
        size=size,
        geometry=_GEOMETRIES.get(cfg.crop_mode or "center", "resize_crop"),
        resize=math.floor(size / (cfg.test_crop_pct or cfg.crop_pct or _CROP_PCT)),
        interpolation=interpolation,
        mean=tuple(cfg.mean or _IMAGENET_MEAN),
        std=tuple(cfg.std or _IMAGENET_STD),
    )


_CROP_PCT = 0.875
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""timm's defaults of mean and standard deviation (timm/data/constants.py)."""

_GEOMETRIES: dict[str, Geometry] = {"center": "resize_crop", "squash": "squash", "border": "border"}
"""Geometry by `crop_mode`; unknown modes mean `center`, as in timm."""


def _weights(cfg: Any) -> WeightsSpec:
    licence = cfg.license or "see timm"
    if cfg.hf_hub_id:
        name = cfg.hf_hub_filename or "model.safetensors"
        url = f"https://huggingface.co/{cfg.hf_hub_id}/resolve/main/{name}"
        return WeightsSpec("torch", "public", licence, (WeightFile(name, url),))
    name = PurePosixPath(cfg.url).name
    digits = PurePosixPath(name).stem.rpartition("-")[2]
    sha256 = digits if len(digits) == 8 and set(digits) <= set("0123456789abcdef") else ""
    return WeightsSpec("torch", "public", licence, (WeightFile(name, cfg.url, sha256),))


def build(card: ModelCard) -> nn.Module:
    """Build the network with timm's constructor."""
    net: nn.Module = timm.create_model(card.build["timm"], num_classes=1000)
    return net


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """Convert with timm's loader, which renames older names, drops a background class, and is strict about the rest."""
    return read_by_timm(card.build["timm"], arrays, card.name, num_classes=1000)
