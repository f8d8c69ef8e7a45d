"""Late import of timm, which takes seconds and warns in older releases."""

import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import Tensor

from model_zoo.errors import WeightsError


def import_timm(module: str = "timm") -> Any:
    """Import timm or one of its modules, without the warnings of timm 1.0.9 (pinned by robustbench) with new torch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit")
        return import_module(module)


def read_by_timm(name: str, arrays: Mapping[str, Tensor], title: str, **asked: Any) -> Mapping[str, Tensor]:
    """Return the state of timm's model `name` after timm's loader has read `arrays`: it renames parameters of older
    releases (Swin's stages), drops a background class, and is strict about the rest.

    asked: keywords of `timm.create_model`; title: the model's name in a `WeightsError` if the arrays do not fit.
    """
    overlay = {"state_dict": dict(arrays), **asked.pop("pretrained_cfg_overlay", {})}
    try:
        net = import_timm().create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **asked)
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"the weights do not fit {title}: {error}") from None
    loaded: Mapping[str, Tensor] = net.state_dict()
    return loaded
