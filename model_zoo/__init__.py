"""Trained models by name: ``load_model``, ``list_models``, ``find_card``.

Only cards are read on import of a name that needs no network, so that listing is instant.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "load_model": "model_zoo.load",
    "Model": "model_zoo.load",
    "list_models": "model_zoo.registry",
    "find_card": "model_zoo.registry",
    "ModelCard": "model_zoo.card",
}

__all__ = ["Model", "ModelCard", "find_card", "list_models", "load_model"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'model_zoo' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
