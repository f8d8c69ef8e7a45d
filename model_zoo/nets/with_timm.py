"""timm, imported where a network first needs it: that takes seconds, and older releases warn of torch.jit's end."""

import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import Tensor

from model_zoo.errors import WeightsError


def import_timm(module: str = "timm") -> Any:
    """timm, or a module of it, without the warnings that timm 1.0.9 (robustbench's pin) raises under a new torch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit")
        return import_module(module)


def read_by_timm(name: str, arrays: Mapping[str, Tensor], title: str, **asked: Any) -> Mapping[str, Tensor]:
    """The state of timm's model `name` as timm's own loader fills it from `arrays`: it renames what older releases
    saved under other names (Swin's stages), drops a background class, and is strict about the rest.

    `asked` are keywords of `timm.create_model`; `title` names the model in a `WeightsError` where they do not fit.
    """
    overlay = {"state_dict": dict(arrays), **asked.pop("pretrained_cfg_overlay", {})}
    try:
        net = import_timm().create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **asked)
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"the weights do not fit {title}: {error}") from None
    loaded: Mapping[str, Tensor] = net.state_dict()
    return loaded
