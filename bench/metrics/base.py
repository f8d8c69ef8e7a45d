"""What a metric is, and the conditions' names as metrics read them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.metrics.estimate import Estimate

Frames = Mapping[str, pd.DataFrame]
"""The records of one model in one suite: condition -> frame with the columns of `bench.record.RECORD_SCHEMA`."""


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
