"""The registry of checkpoints. Reads only cards, never torch, so that listing is fast."""

import functools
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from model_zoo.card import ModelCard, WeightsSpec, read_card
from model_zoo.errors import CardError, UnknownModelError, suggestion
from model_zoo.outside import outside_card

ROOT = Path(__file__).parent
PREFIXES = ("torchvision", "timm", "robustbench", "hf", "open_clip", "file")
"""Prefixes of models in other zoos, or in the user's own file (see `model_zoo.outside`)."""


RANDOM = "random:"
"""`random:NAME` is the network of the model NAME with its initial weights, drawn from a seed: to try a pipeline."""


def is_random(name: str) -> bool:
    """Return whether a model has random weights; such models are on no leaderboard."""
    return name.startswith(RANDOM)


class BranchedName(NamedTuple):
    """The parts of `base@branch`; `branch` is empty if the name has none."""

    base: str
    branch: str


def split_branch(name: str) -> BranchedName:
    """Return the name of the checkpoint and of its normalisation branch; an `@` within a `file:` path is part of the
    path."""
    base, at, branch = name.rpartition("@")
    return BranchedName(base, branch) if at and branch.isidentifier() else BranchedName(name, "")


CARDS = "BENCH_CARDS"
"""Environment variable with folders of the user's own cards, separated as in PATH."""


def card_folders() -> tuple[Path, ...]:
    """Folders of the user's own cards."""
    return tuple(Path(part).expanduser() for part in os.environ.get(CARDS, "").split(os.pathsep) if part)


def use_cards(folder: str | Path) -> None:
    """Add the cards in `folder` to those known to this process and its children. Raises `CardError` for a path that
    is not a folder, or a folder with no card or an invalid one."""
    place = Path(folder).expanduser().resolve()
    if not list(place.glob("*.toml")):
        raise CardError(f"--cards {folder}: no cards (*.toml) there; next: bench card new CHECKPOINT --cards {folder}")
    if place not in card_folders():
        os.environ[CARDS] = os.pathsep.join([*map(str, card_folders()), str(place)])
    cards()


def cards() -> dict[str, ModelCard]:
    """Return every card, including the user's own, by name, sorted. Raises `CardError` if two share a name."""
    return _cards(ROOT, tuple((folder, folder.stat().st_mtime_ns) for folder in card_folders() if folder.is_dir()))


@functools.cache
def _cards(root: Path, own: tuple[tuple[Path, int], ...]) -> dict[str, ModelCard]:
    found: dict[str, ModelCard] = {}
    paths = [(path, False) for path in sorted(root.glob("*/cards/*.toml"))]
    paths += [(path, True) for folder, _ in own for path in sorted(folder.glob("*.toml"))]
    for path, is_own in paths:
        card = read_card(path, own=is_own)
        if card.name in found:
            raise CardError(f"{path}: a second card is named {card.name!r}; names must be unique")
        found[card.name] = card
    return dict(sorted(found.items()))


def by_other_name() -> dict[str, ModelCard]:
    """Return the cards by the names of their checkpoints in other zoos. Raises `CardError` if two claim one name."""
    found: dict[str, ModelCard] = {}
    for card in cards().values():
        for name in card.also_named:
            if name in found:
                raise CardError(f"{card.name} and {found[name].name} are both also_named {name!r}")
            found[name] = card
    return found


def list_models() -> list[str]:
    """Return the names of all checkpoints with a card."""
    return list(cards())


def find_card(name: str) -> ModelCard:
    """Return the card named `name`, ignoring a branch (`name@branch`), or one made for `timm:NAME` and similar
    names. Raises `UnknownModelError` with the nearest names."""
    base = split_branch(name).base
    if is_random(base):
        return _with_random_weights(find_card(base.removeprefix(RANDOM)))
    if base.partition(":")[0] in PREFIXES and ":" in base:
        return outside_card(base)
    known = cards()
    if base not in known:
        hint = suggestion(base, known)
        raise UnknownModelError(f"unknown model {base!r}{hint}; `bench list models` shows all")
    return known[base]


def _with_random_weights(card: ModelCard) -> ModelCard:
    """Return `card` with a `random:` name, without the numbers and other names of the trained model."""
    drawn = WeightsSpec("none", "random", "none needed", note="initial weights, drawn from seed 0")
    return replace(card, name=RANDOM + card.name, weights=drawn, reported=(), also_named=())
