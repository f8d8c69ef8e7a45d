"""A card becomes a network, by the room that knows it."""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast, runtime_checkable

import torch
from torch import nn

from model_zoo.card import ModelCard
from model_zoo.weights import Arrays


class Room(Protocol):
    """What each method's `build.py` offers."""

    def build(self, card: ModelCard) -> nn.Module:
        """The network of `card`, weights not yet loaded."""

    def convert(self, card: ModelCard, arrays: Arrays) -> Arrays:
        """The released file's arrays under the names, and in the layouts, of the network's `state_dict`."""


@runtime_checkable
class FinishingRoom(Protocol):
    """A room that makes something of a filled network, such as the head of a text tower."""

    def finish(self, net: nn.Module, card: ModelCard) -> nn.Module:
        """The model that the filled network becomes."""


@runtime_checkable
class PartialRoom(Protocol):
    """A room whose networks have a part that a file may hold alone."""

    def part_of(self, net: nn.Module) -> nn.Module:
        """That part of `net`."""


@runtime_checkable
class EnsembleRoom(Protocol):
    """A room whose networks are filled from a file a member."""

    def join(self, card: ModelCard, members: Sequence[Arrays]) -> Arrays:
        """The members' arrays under the ensemble's names."""


def build(card: ModelCard) -> nn.Module:
    """The network of `card` with its initial weights."""
    return room_of(card).build(card)


def build_outline(card: ModelCard) -> nn.Module:
    """The network of `card` for its names and shapes: without memory, unless its library reads values as it builds
    (timm 1.0.9's NF-ResNets)."""
    try:
        with torch.device("meta"):
            return build(card)
    except NotImplementedError:  # torch's word for a value asked of a meta tensor
        return build(card)


def room_of(card: ModelCard) -> Room:
    """The module that builds the card's networks: `METHOD.build`, or the one that the card names in full."""
    module = card.room if "." in card.room else f"{card.room}.build"
    return cast(Room, import_module(f"model_zoo.{module}"))
