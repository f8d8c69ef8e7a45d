"""What a reader is to the fuzzer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutate import Mutation

REPOSITORY = Path(__file__).resolve().parents[2]

Read = Callable[[Path, bytes], object]


@dataclass(frozen=True)
class Reader:
    """`read` gets an empty folder and one input; what it raises beyond our own errors is a crash."""

    name: str
    samples: Callable[[], list[bytes]]
    mutation: Mutation
    read: Read
    share: float = 1.0
    """Inputs, as a part of those asked for: a slow reader gets fewer."""


OURS: list[type[BaseException]] = []
"""The errors that a reader may raise; set once they can be imported."""
