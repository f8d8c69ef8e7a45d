"""``timm:NAME``: any ImageNet-1k classifier of timm; its `pretrained_cfg` says input, address and licence."""

import math
from pathlib import PurePosixPath
from typing import Any

from torch import nn

from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec
from model_zoo.errors import UnknownModelError, WeightsError, suggestion
from model_zoo.nets.with_timm import import_timm
from model_zoo.standard.outside import OutsideName
from model_zoo.weights import Arrays

timm = import_timm()


def card(asked: OutsideName) -> ModelCard:
    """Made from timm's `pretrained_cfg`. Raises `UnknownModelError` unless it classifies ImageNet's 1000."""
    asked.check_options()
    if not timm.is_model(asked.name.partition(".")[0]):
        raise UnknownModelError(f"timm has no model {asked.name!r}{suggestion(asked.name, timm.list_models())}")
    try:
        cfg: Any = timm.get_pretrained_cfg(asked.name)
    except RuntimeError:  # an unknown tag behind the dot
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
    """Return the input of timm's own validation: short side to size / crop_pct, centre crop; the test size where there
    is one."""
    size = (cfg.test_input_size or cfg.input_size)[-1]
    return InputSpec(
        size=size,
        resize=max(size, math.floor(size / (cfg.test_crop_pct or cfg.crop_pct))),
        interpolation="bicubic" if cfg.interpolation == "bicubic" else "bilinear",
        mean=cfg.mean,
        std=cfg.std,
    )


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
    """timm's own constructor."""
    net: nn.Module = timm.create_model(card.build["timm"], num_classes=1000)
    return net


def convert(card: ModelCard, arrays: Arrays) -> Arrays:
    """timm's own loader renames what needs it, drops a background class, and is strict about the rest."""
    try:
        net = timm.create_model(
            card.build["timm"], num_classes=1000, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(arrays)}
        )
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"the weights do not fit {card.name}: {error}") from None
    loaded: Arrays = net.state_dict()
    return loaded
