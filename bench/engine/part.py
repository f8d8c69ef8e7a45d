"""The result of one model's unit, or the reason for its failure."""

import traceback
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench.errors import BenchError
from model_zoo.errors import ZooError


@dataclass(frozen=True)
class Part:
    """Result of one model's unit: one record per image, and optionally a measurement of the whole unit.

    notes: remarks for readers of the numbers, also stored in the records' metadata
    passing: temporary reasons why images could not be read; the unit must then be repeated
    """

    records: pa.Table
    measurement: pa.Table | None = None
    notes: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """Why one model has no part of a unit; `final` if another attempt would fail in the same way."""

    reason: str
    final: bool

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """Return an error's message and where it was raised: `ValueError: no such layer (net.py:12)`."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        said = isinstance(error, (BenchError, ZooError))
        reason = str(error) if said else f"{type(error).__name__}: {error}{where}"
        return cls(reason, said or isinstance(error, SystemExit))
