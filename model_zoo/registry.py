"""Which checkpoints there are. Reads cards only, never torch, so that listing is instant."""

import functools
from pathlib import Path
from typing import NamedTuple

from model_zoo.card import ModelCard, read_card
from model_zoo.errors import CardError, UnknownModelError, suggestion

ROOT = Path(__file__).parent
PREFIXES = ("torchvision", "timm", "robustbench", "file")
"""`PREFIX:NAME` is a model of somebody else's zoo, or of the user's own file (see `model_zoo.standard.outside`)."""


class BranchedName(NamedTuple):
    """`base@branch` taken apart; `branch` is empty where the name has none."""

    base: str
    branch: str


def split_branch(name: str) -> BranchedName:
    """The name of the checkpoint and of its normalisation branch; an `@` within a `file:` path stays in the path."""
    base, at, branch = name.rpartition("@")
    return BranchedName(base, branch) if at and branch.isidentifier() else BranchedName(name, "")


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


@functools.cache
def by_other_name() -> dict[str, ModelCard]:
    """The cards by the names that their checkpoints have in other zoos. Raises `CardError` where two claim one name."""
    found: dict[str, ModelCard] = {}
    for card in cards().values():
        for name in card.also_named:
            if name in found:
                raise CardError(f"{card.name} and {found[name].name} are both also_named {name!r}")
            found[name] = card
    return found


def list_models() -> list[str]:
    """Names of all checkpoints that have a card."""
    return list(cards())


def find_card(name: str) -> ModelCard:
    """The card named `name`, a branch (`name@branch`) left aside; one made on the spot for `timm:NAME` and its like.

    Raises `UnknownModelError` with the nearest names.
    """
    base = split_branch(name).base
    if base.partition(":")[0] in PREFIXES and ":" in base:
        from model_zoo.standard.outside import outside_card

        return outside_card(base)
    known = cards()
    if base not in known:
        hint = suggestion(base, known)
        raise UnknownModelError(f"unknown model {base!r}{hint}; `bench list models` shows all")
    return known[base]
