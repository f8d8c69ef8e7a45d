"""Trained models by name: ``load_model``, ``list_models``, ``find_card``; `dir(model_zoo)` shows all.

Only cards are read on import of a name that needs no network, so that listing is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_zoo.card import ModelCard as ModelCard
    from model_zoo.guess import new_card as new_card
    from model_zoo.load import confirm as verify_weights
    from model_zoo.load import convert as convert_weights
    from model_zoo.load import load_model as load_model
    from model_zoo.model import Model as Model
    from model_zoo.parity import check as check_parity
    from model_zoo.registry import find_card as find_card
    from model_zoo.registry import list_models as list_models
    from model_zoo.registry import use_cards as use_cards
    from model_zoo.weights import fetch as fetch_weights
    from model_zoo.weights import where as find_weights

_PUBLIC = {
    "Model": "model_zoo.model",
    "ModelCard": "model_zoo.card",
    "check_parity": "model_zoo.parity:check",
    "convert_weights": "model_zoo.load:convert",
    "fetch_weights": "model_zoo.weights:fetch",
    "find_card": "model_zoo.registry",
    "find_weights": "model_zoo.weights:where",
    "list_models": "model_zoo.registry",
    "load_model": "model_zoo.load",
    "new_card": "model_zoo.guess",
    "use_cards": "model_zoo.registry",
    "verify_weights": "model_zoo.load:confirm",
}
"""Module of each public name: `module`, or `module:name` if it has another name there."""

__all__ = [
    "Model",
    "ModelCard",
    "check_parity",
    "convert_weights",
    "fetch_weights",
    "find_card",
    "find_weights",
    "list_models",
    "load_model",
    "new_card",
    "use_cards",
    "verify_weights",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        from model_zoo.errors import suggestion

        raise AttributeError(f"module 'model_zoo' has no attribute {name!r}{suggestion(name, _PUBLIC)}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute or name)


def __dir__() -> list[str]:
    return __all__
