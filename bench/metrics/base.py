"""What a metric is, and the conditions' names as metrics read them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
import pyarrow as pa

from bench.metrics.estimate import Estimate

Frames = Mapping[str, pd.DataFrame]
"""The records of one model in one suite: condition -> frame with the columns of `bench.record.RECORD_SCHEMA`."""

Kept = TypeVar("Kept")


class SuiteFrames(Mapping[str, pd.DataFrame]):
    """Frames that are made as they are asked for, of `tables` as Arrow holds them; what several metrics need of them is
    made once."""

    def __init__(self, tables: Mapping[str, pa.Table], frame_of: Callable[[str], pd.DataFrame]) -> None:
        self.tables, self._frame_of = tables, frame_of
        self._kept: dict[Callable[[Frames], object], object] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.tables:
            raise KeyError(name)
        return self._frame_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def keep(self, make: Callable[[Frames], Kept]) -> Kept:
        """What `make` makes of these frames."""
        if make not in self._kept:
            self._kept[make] = make(self)
        return self._kept[make]  # type: ignore[return-value]


def once(frames: Frames, make: Callable[[Frames], Kept]) -> Kept:
    """What `make` makes of `frames`, once where they are a suite's."""
    return frames.keep(make) if isinstance(frames, SuiteFrames) else make(frames)


def records_of(frames: Frames, name: str) -> pd.DataFrame | pa.Table:
    """A condition's records in whichever form is there."""
    return frames.tables[name] if isinstance(frames, SuiteFrames) else frames[name]


Measurements = Mapping[str, Sequence[pd.DataFrame]]
"""What one model's units measured in one suite: condition -> a frame a unit (`bench.diagnostics.table.SCHEMA`)."""


@dataclass(frozen=True)
class Metric:
    """One number of a suite. `compute` raises `MissingConditionError` naming what it lacks.

    `source` is the paper or code that defines the formula. `per_image`, of a metric that is a mean over images, gives
    each image's own share of it (index: image id), so that two models can be tested image by image.
    """

    name: str
    compute: Callable[[Frames], Estimate]
    higher_is_better: bool
    unit: str
    source: str
    per_image: Callable[[Frames], pd.Series] | None = None


@dataclass(frozen=True)
class Measure:
    """One number of a suite that is made of measurements, not of records; otherwise as `Metric`."""

    name: str
    compute: Callable[[Measurements], Estimate]
    higher_is_better: bool
    unit: str
    source: str


@dataclass(frozen=True)
class Shown:
    """How people read a number of some unit: multiplied by `scale`, with `digits` and `sign` behind it."""

    scale: float
    digits: str
    sign: str

    @classmethod
    def of(cls, unit: str) -> "Shown":
        """Shares and percentages in percent, anything else in its own unit."""
        return cls(100.0 if unit == "share" else 1.0, ".2f", "%") if unit in ("share", "%") else cls(1.0, ".3g", unit)

    def text(self, value: float) -> str:
        """The number alone."""
        return f"{value * self.scale:{self.digits}}"


class MissingConditionError(Exception):
    """A metric's condition was not measured; the mean over what is there would be another number."""
