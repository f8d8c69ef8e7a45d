"""What a corruption is made of: how it draws, and the pixel function that the draws go into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor

from bench.corruptions.constants import Family
from bench.corruptions.stream import Stream

Draws = Mapping[str, Tensor]
"""Random numbers of a batch by the name of the pixel function's argument; the first axis counts images."""


C = TypeVar("C")


class Setting(NamedTuple, Generic[C]):
    """What a draw depends on besides its key: image size, the family's rules, and the strength `c`."""

    height: int
    width: int
    family: Family
    c: C


def no_draw(stream: Stream, setting: Setting[Any]) -> Draws:  # noqa: ARG001
    """Draw nothing: the corruption is deterministic."""
    return {}


@dataclass(frozen=True)
class Method:
    """One corruption.

    `apply(x, setting, **draws)` takes uint8 [n, h, w, 3] and gives the same shape: uint8, or floats in grey levels,
    which are then clipped to [0, 255] and truncated as the original's `np.uint8(np.clip(...))` does.
    """

    apply: Callable[..., Tensor]
    draw: Callable[[Stream, Setting[Any]], Draws] = no_draw
