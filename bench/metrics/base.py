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


@dataclass(frozen=True)
class ConditionName:
    """A canonical condition taken apart: `imagenet/fog/3-jpeg85` or `imagenet/pgd-linf-...` or `imagenet/clean`,
    each with `:probes` behind it where diagnostics looked on."""

    dataset: str
    corruption: str = ""
    severity: int = 0
    attack: str = ""
    probes: str = ""

    @classmethod
    def parse(cls, name: str) -> "ConditionName":
        """The parts of `name`. Raises `ValueError` for what is no condition's name."""
        shown, _, probes = name.partition(":")
        dataset, *rest = shown.split("/")
        attack = rest[-1] if rest and not rest[-1][:1].isdigit() and rest[-1] != "clean" else ""
        if len(rest) >= 2:
            return cls(dataset, rest[0], int(rest[1].split("-")[0]), attack, probes)
        return cls(dataset, attack=attack, probes=probes)
