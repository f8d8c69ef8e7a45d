"""Where weights come from: the package, another package, a cache, or the user's own file. Never unpickles code."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from model_zoo.cache import weights_dir
from model_zoo.card import ModelCard
from model_zoo.errors import WeightsError
from model_zoo.formats import read_file
from model_zoo.registry import ROOT

Arrays = Mapping[str, Tensor]


def read(card: ModelCard, override: Path | None = None) -> Arrays:
    """The card's released arrays by name, from `override` or from wherever its weights lie."""
    return read_file(override or locate(card))


def locate(card: ModelCard) -> Path:
    """The file of the card's weights. Raises `WeightsError` saying how to get it."""
    match card.weights.availability:
        case "embedded":
            return ROOT / card.room / "weights" / card.weights.files[0].name
        case "package":
            return _in_package(card)
        case "public":
            return _in_cache(card)
        case _:
            raise WeightsError(f"{card.name}: no weights; name your own file with --weights")


def _in_cache(card: ModelCard) -> Path:
    path = weights_dir(card.name) / card.weights.files[0].name
    if not path.is_file():
        raise WeightsError(
            f"{card.name}: its weights are not in the cache (looked for {path}); "
            f"next: bench weights fetch {card.name}, or --weights FILE"
        )
    return path


def _in_package(card: ModelCard) -> Path:
    package, _, rest = card.weights.files[0].name.partition("/")
    if find_spec(package) is None:
        extra = card.weights.note
        raise WeightsError(f"{card.name}: its weights are in the package {package}, which is not installed; {extra}")
    origin = import_module(package).__file__
    return Path(str(origin)).parent / rest
