"""safetensors: a header and raw bytes."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from model_zoo.errors import WeightsError


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of the file by name."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {error}") from None
