"""safetensors files."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model_zoo.errors import WeightsError


def read(path: Path) -> dict[str, Tensor]:
    """Read all tensors of the file by name."""
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {error}") from None


def write(path: Path, arrays: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write `arrays` atomically: under a temporary name, then renamed."""
    part = path.with_name(path.name + ".part")
    save_file({key: value.contiguous() for key, value in arrays.items()}, part, dict(metadata))
    part.replace(path)
