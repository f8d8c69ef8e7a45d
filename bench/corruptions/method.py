"""The parts of a corruption: a function that draws random numbers, and a pixel function that uses them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor

from bench.corruptions.constants import Family
from bench.corruptions.stream import Stream

Draws = Mapping[str, Tensor]
"""Random numbers of a batch, keyed by the pixel function's argument name; the first axis counts images."""


C = TypeVar("C")


class Setting(NamedTuple, Generic[C]):
    """Parameters of a corruption: image size in pixels, constants of that size, and the strength `c`."""

    height: int
    width: int
    family: Family
    c: C


def no_draw(stream: Stream, setting: Setting[Any]) -> Draws:  # noqa: ARG001
    """Draw nothing, for deterministic corruptions."""
    return {}


@dataclass(frozen=True)
class Method:
    """The functions of one corruption.

    `apply(x, setting, **draws)` takes uint8 [n, h, w, 3] and returns the same shape: uint8, or floats in grey levels,
    which are then clipped to [0, 255] and truncated, as by the original's `np.uint8(np.clip(...))`.
    """

    apply: Callable[..., Tensor]
    draw: Callable[[Stream, Setting[Any]], Draws] = no_draw
