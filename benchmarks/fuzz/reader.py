"""Interface of the fuzzed readers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutate import Mutation

REPOSITORY = Path(__file__).resolve().parents[2]

Read = Callable[[Path, bytes], object]


@dataclass(frozen=True)
class Reader:
    """A reader. `read` gets an empty folder and one input; any exception other than our errors is a crash."""

    name: str
    samples: Callable[[], list[bytes]]
    mutation: Mutation
    read: Read
    share: float = 1.0
    """Share of the requested inputs that this reader gets; less for slow readers."""


OURS: list[type[BaseException]] = []
"""Errors that a reader may raise; set after they are imported."""
