"""The definition of a metric, and its inputs."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pyarrow as pa

from bench.metrics.estimate import Estimate
from bench.rounding import decimal

if TYPE_CHECKING:  # most numbers come from Arrow tables; pandas takes half a second to import
    import pandas as pd

Frames: TypeAlias = "Mapping[str, pd.DataFrame]"
"""The records of one model in one suite: condition -> frame with the columns of `bench.record.RECORD_SCHEMA`."""

Records: TypeAlias = "pd.DataFrame | pa.Table"
"""The records of a condition, as a frame or as an Arrow table, which is a hundred times faster."""

Kept = TypeVar("Kept")


class SuiteFrames(Mapping[str, "pd.DataFrame"]):
    """Frames made on demand from Arrow `tables`; results shared by several metrics are computed once."""

    def __init__(self, tables: Mapping[str, pa.Table], frame_of: "Callable[[str], pd.DataFrame]") -> None:
        self.tables, self._frame_of = tables, frame_of
        self._kept: dict[Callable[[Frames], object], object] = {}

    def __getitem__(self, name: str) -> "pd.DataFrame":
        if name not in self.tables:
            raise KeyError(name)
        return self._frame_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def keep(self, make: Callable[[Frames], Kept]) -> Kept:
        """Return `make` of these frames, computed once."""
        if make not in self._kept:
            self._kept[make] = make(self)
        return self._kept[make]  # type: ignore[return-value]


def once(frames: Frames, make: Callable[[Frames], Kept]) -> Kept:
    """Return `make` of `frames`, computed once for a suite's frames."""
    return frames.keep(make) if isinstance(frames, SuiteFrames) else make(frames)


def records_of(frames: Frames, name: str) -> Records:
    """Return a condition's records in the available form."""
    return frames.tables[name] if isinstance(frames, SuiteFrames) else frames[name]


Measurements = Mapping[str, Sequence[pa.Table]]
"""Measurements of one model's units in one suite: condition -> one table per unit
(`bench.diagnostics.table.SCHEMA`)."""


@dataclass(frozen=True)
class Metric:
    """A metric of a suite. `compute` raises `MissingConditionError` naming what it lacks. `source` is the paper or
    code that defines the formula. `per_image`, for a metric that is a mean over images, returns each image's share
    of it (index: image id), so that two models can be tested image by image. `labels` is the only label space that
    it is defined for, empty if it is for any: AlexNet's errors on ImageNet normalise no other classes. `remark` returns
    what a reader of its value has to know of these records, empty if nothing."""

    name: str
    compute: Callable[[Frames], Estimate]
    higher_is_better: bool
    unit: str
    source: str
    per_image: "Callable[[Frames], pd.Series] | None" = None
    labels: str = ""
    remark: Callable[[Frames], str] | None = None

    def undefined(self, spaces: Collection[str]) -> str:
        """Return why it is no number of images in these label spaces; empty if it is."""
        other = sorted(set(spaces) - {self.labels}) if self.labels else []
        return (
            f"defined for the classes of {self.labels}, and these images have those of {', '.join(other)}"
            if other
            else ""
        )


@dataclass(frozen=True)
class Measure:
    """A metric computed from measurements, not from records; otherwise as `Metric`."""

    name: str
    compute: Callable[[Measurements], Estimate]
    higher_is_better: bool
    unit: str
    source: str


@dataclass(frozen=True)
class Shown:
    """Display of numbers of a unit: multiplied by `scale`, with `digits` and followed by `sign`."""

    scale: float
    digits: str
    sign: str

    @classmethod
    def of(cls, unit: str) -> "Shown":
        """Return the display of a unit: shares and percentages in percent, others unscaled."""
        return cls(100.0 if unit == "share" else 1.0, ".2f", "%") if unit in ("share", "%") else cls(1.0, ".3g", unit)

    def text(self, value: float) -> str:
        """Return the number as text."""
        return decimal(value * self.scale, self.digits)


class MissingConditionError(Exception):
    """A metric's condition was not measured; the mean over the others would be another number."""


def require_columns(records: "pd.DataFrame", *names: str) -> None:
    """Raise `MissingConditionError` for columns that a set or a diagnostic adds and these records do not have, as
    those of another version or of another program may."""
    if absent := [name for name in names if name not in records]:
        raise MissingConditionError(f"these records have no {', '.join(absent)}")
