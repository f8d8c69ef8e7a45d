"""The registry of checkpoints. Reads only cards, never torch, so that listing is fast."""

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
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


class Cards(Mapping[str, ModelCard]):
    """Cards by name, sorted. A packaged card is read when it is asked for: reading all takes half a second.

    Raises `CardError` if two cards share a name, and, when it is read, for a packaged card with another name than its
    file.
    """

    def __init__(self, packaged: Iterable[Path], own: Iterable[Path]) -> None:
        self._paths: dict[str, Path] = {}
        self._read: dict[str, ModelCard] = {}
        for path in packaged:
            self._add(path.stem, path)
        for path in own:
            card = read_card(path, own=True)
            self._add(card.name, path)
            self._read[card.name] = card
        self._names = sorted(self._paths)

    def _add(self, name: str, path: Path) -> None:
        if name in self._paths:
            raise CardError(f"{path}: a second card is named {name!r}; names must be unique")
        self._paths[name] = path

    def __getitem__(self, name: str) -> ModelCard:
        """Return the card named `name`, or raise `KeyError`."""
        path = self._paths[name]
        if name not in self._read:
            card = read_card(path)
            if card.name != name:
                raise CardError(f"{path}: named {card.name!r}; a packaged card has the name of its file")
            self._read[name] = card
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a card, without reading it."""
        return name in self._paths

    def __iter__(self) -> Iterator[str]:
        """Return the names in order."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return the number of cards."""
        return len(self._names)


def cards() -> Cards:
    """Return every card, including the user's own. Raises `CardError` if two share a name."""
    return _cards(ROOT, tuple((folder, folder.stat().st_mtime_ns) for folder in card_folders() if folder.is_dir()))


@functools.cache
def _cards(root: Path, own: tuple[tuple[Path, int], ...]) -> Cards:
    return Cards(sorted(root.glob("*/cards/*.toml")), (p for folder, _ in own for p in sorted(folder.glob("*.toml"))))


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
