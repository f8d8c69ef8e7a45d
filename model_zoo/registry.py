"""Which checkpoints there are. Reads cards only, never torch, so that listing is instant."""

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
"""`PREFIX:NAME` is a model of somebody else's zoo, or of the user's own file (see `model_zoo.outside`)."""


RANDOM = "random:"
"""`random:NAME` is the network of the model NAME with its initial weights, drawn from a seed: to try a pipeline."""


def is_random(name: str) -> bool:
    """Whether a model's numbers are those of random weights: never on a leaderboard."""
    return name.startswith(RANDOM)


class BranchedName(NamedTuple):
    """`base@branch` taken apart; `branch` is empty where the name has none."""

    base: str
    branch: str


def split_branch(name: str) -> BranchedName:
    """The name of the checkpoint and of its normalisation branch; an `@` within a `file:` path stays in the path."""
    base, at, branch = name.rpartition("@")
    return BranchedName(base, branch) if at and branch.isidentifier() else BranchedName(name, "")


CARDS = "BENCH_CARDS"
"""The variable that names folders of the user's own cards, parted as in PATH."""


def card_folders() -> tuple[Path, ...]:
    """Folders of the user's own cards."""
    return tuple(Path(part).expanduser() for part in os.environ.get(CARDS, "").split(os.pathsep) if part)


def use_cards(folder: str | Path) -> None:
    """Let this process, and those that it starts, know the cards in `folder` beside those that they know.

    Raises `CardError` for what is no folder, or holds no card or a wrong one.
    """
    place = Path(folder).expanduser().resolve()
    if not list(place.glob("*.toml")):
        raise CardError(f"--cards {folder}: no cards (*.toml) there; next: bench card new CHECKPOINT --cards {folder}")
    if place not in card_folders():
        os.environ[CARDS] = os.pathsep.join([*map(str, card_folders()), str(place)])
    cards()


def cards() -> dict[str, ModelCard]:
    """Every card of every room, and the user's own, by name, sorted. Raises `CardError` if two share a name."""
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
    """`card` under a name that tells it, without the numbers and other names of the trained one."""
    drawn = WeightsSpec("none", "random", "none needed", note="initial weights, drawn from seed 0")
    return replace(card, name=RANDOM + card.name, weights=drawn, reported=(), also_named=())
