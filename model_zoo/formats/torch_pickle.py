"""PyTorch's own files, read with `weights_only=True`: tensors and plain containers, never code."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from model_zoo.errors import WeightsError
from model_zoo.formats.bounded import BoundedFile


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of a state dict, or of the `state_dict` or `model` in a training checkpoint; `module.` stripped."""
    try:
        with BoundedFile(path) as file:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make the unpickler raise anything from EOFError to AttributeError
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path}: not a PyTorch file of plain tensors: {reason}") from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: expected a state dict, found a {type(content).__name__}")
    found = {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, Tensor)}
    if odd := [name for name, tensor in found.items() if tensor.layout != torch.strided or tensor.is_quantized]:
        raise WeightsError(f"{path}: expected plain tensors, {odd[0]} is {found[odd[0]].type()}")
    return found
