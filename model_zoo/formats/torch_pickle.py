"""PyTorch's own files, read with `weights_only=True`: tensors and plain containers, never code."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from model_zoo.errors import WeightsError


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of a state dict, or of the `state_dict` or `model` in a training checkpoint; `module.` stripped."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make the unpickler raise anything from EOFError to AttributeError
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path}: not a PyTorch file of plain tensors: {reason}") from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: expected a state dict, found a {type(content).__name__}")
    return {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, Tensor)}
