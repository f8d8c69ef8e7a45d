"""Which checkpoints there are. Reads cards only, never torch, so that listing is instant."""

import functools
from pathlib import Path

from model_zoo.card import ModelCard, read_card
from model_zoo.errors import CardError, UnknownModelError, suggestion

ROOT = Path(__file__).parent
PREFIXES = ("torchvision", "timm", "robustbench", "file")
"""`PREFIX:NAME` is a model of somebody else's zoo, or of the user's own file (see `model_zoo.standard.outside`)."""


@functools.cache
def cards() -> dict[str, ModelCard]:
    """Every card of every room by name, sorted. Raises `CardError` if two cards share a name."""
    found: dict[str, ModelCard] = {}
    for path in sorted(ROOT.glob("*/cards/*.toml")):
        card = read_card(path)
        if card.name in found:
            raise CardError(f"{path}: a second card is named {card.name!r}; names must be unique")
        found[card.name] = card
    return dict(sorted(found.items()))


def list_models() -> list[str]:
    """Names of all checkpoints that have a card."""
    return list(cards())


def find_card(name: str) -> ModelCard:
    """The card named `name`, a branch (`name@branch`) left aside. Raises `UnknownModelError` with the nearest names."""
    base = name.partition("@")[0]
    known = cards()
    if base not in known:
        hint = suggestion(base, known)
        raise UnknownModelError(f"unknown model {base!r}{hint}; `bench list models` shows all")
    return known[base]
