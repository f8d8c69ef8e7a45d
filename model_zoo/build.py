"""Build a card's network with the `build.py` of its method."""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast, runtime_checkable

import torch
from torch import nn

from model_zoo.card import ModelCard
from model_zoo.weights import Arrays


class Room(Protocol):
    """The interface of each method's `build.py`."""

    def build(self, card: ModelCard) -> nn.Module:
        """Return the network of `card`, without loaded weights."""

    def convert(self, card: ModelCard, arrays: Arrays) -> Arrays:
        """Return the released file's arrays with the names and layouts of the network's `state_dict`."""


@runtime_checkable
class FinishingRoom(Protocol):
    """A `build.py` that completes a filled network, for example with the head of a text tower."""

    def finish(self, net: nn.Module, card: ModelCard) -> nn.Module:
        """Return the model made of the filled network."""


@runtime_checkable
class PartialRoom(Protocol):
    """A `build.py` for networks with a part that a file may contain alone."""

    def part_of(self, net: nn.Module) -> nn.Module:
        """Return that part of `net`."""


@runtime_checkable
class EnsembleRoom(Protocol):
    """A `build.py` for ensembles that are filled from one file per member."""

    def join(self, card: ModelCard, members: Sequence[Arrays]) -> Arrays:
        """Return the members' arrays with the ensemble's names."""


def build(card: ModelCard) -> nn.Module:
    """Return the network of `card` with its initial weights."""
    return room_of(card).build(card)


def build_outline(card: ModelCard) -> nn.Module:
    """Return the network of `card` for its names and shapes: without memory, unless its library reads values during
    the build (timm 1.0.9's NF-ResNets)."""
    try:
        with torch.device("meta"):
            return build(card)
    except NotImplementedError:  # torch's word for a value asked of a meta tensor
        return build(card)


def room_of(card: ModelCard) -> Room:
    """Import the module that builds the card's networks: `METHOD.build`, or the one given in full on the card."""
    module = card.room if "." in card.room else f"{card.room}.build"
    return cast(Room, import_module(f"model_zoo.{module}"))
