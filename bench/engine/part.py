"""What one model's unit leaves, or why there is nothing."""

import traceback
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench.errors import BenchError
from model_zoo.errors import ZooError


@dataclass(frozen=True)
class Part:
    """What one model's unit leaves: a record an image, and what was measured of the unit as a whole, if anything.

    notes: what a reader of the numbers must know; they lie in the records' metadata, too.
    passing: why images could not be read, where that can pass: then the unit is to be done again.
    """

    records: pa.Table
    measurement: pa.Table | None = None
    notes: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """Why one model has no part of a unit; `final` where another attempt would say the same."""

    reason: str
    final: bool

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """What an error says, and where it was raised: `ValueError: no such layer (net.py:12)`."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        said = isinstance(error, (BenchError, ZooError))
        reason = str(error) if said else f"{type(error).__name__}: {error}{where}"
        return cls(reason, said or isinstance(error, SystemExit))
