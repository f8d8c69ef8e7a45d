"""Released files become named arrays; one module a format, none of which executes anything from the file."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from model_zoo.card import ModelCard
from model_zoo.errors import WeightsError, suggestion
from model_zoo.formats import safetensors_file, torch_pickle

READERS: dict[str, Callable[[Path], dict[str, Tensor]]] = {
    "safetensors": safetensors_file.read,
    "torch": torch_pickle.read,
}


def read_file(path: Path, card: ModelCard) -> dict[str, Tensor]:
    """Named arrays of the file at `path`; safetensors by its ending, otherwise the card's format."""
    if not path.is_file():
        raise WeightsError(
            f"{card.name}: no weights at {path}; `bench weights where {card.name}` says what is expected"
        )
    kind = "safetensors" if path.suffix == ".safetensors" else card.weights.format
    if kind not in READERS:
        raise WeightsError(f"{card.name}: unknown weights format {kind!r}{suggestion(kind, READERS)}")
    return READERS[kind](path)
