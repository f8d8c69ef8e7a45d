"""Released files become named arrays; one module a format, none of which executes anything from the file."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from model_zoo.formats import safetensors_file, tensorpack, tf_checkpoint, torch_pickle
from model_zoo.formats.sniff import Kind, sniff

READERS: dict[Kind, Callable[[Path], dict[str, Tensor]]] = {
    "safetensors": safetensors_file.read,
    "torch": torch_pickle.read,
    "tensorpack": tensorpack.read,
    "tf_checkpoint": tf_checkpoint.read,
}


def read_file(path: Path) -> dict[str, Tensor]:
    """Named arrays of the file at `path`, whose content, not its name, says which format it is.

    A TensorFlow checkpoint is named by its `.index`, its `.data-...` or, as TensorFlow does, by what they share.
    Raises `WeightsError` for anything that is not whole weights.
    """
    path = _index_of(path)
    return READERS[sniff(path)](path)


def _index_of(path: Path) -> Path:
    stem = path.name.partition(".data-")[0]
    index = path.with_name(f"{stem}.index")
    return index if index.is_file() and (stem != path.name or not path.is_file()) else path
