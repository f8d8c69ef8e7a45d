"""What a suite declares. It runs nothing, and is there without torch: conditions import attacks as they are made."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.condition import Condition
from bench.corruptions import Corruption
from bench.errors import UsageError
from bench.metrics.base import Measure, Metric
from bench.options import OPTIONS, RunOptions
from model_zoo.card import ModelCard

if TYPE_CHECKING:  # attacks and probes import torch, which a table of suites or of results should not wait for
    from bench.attacks.base import Attack
    from bench.diagnostics.probe import Probe

UNIT_IMAGES = 200
ATTACK_UNIT_IMAGES = 100
"""Images in a unit of work: small enough that a kill loses little, large enough that batches stay full."""


@dataclass(frozen=True)
class Setup:
    """A condition as a suite asks for it, with the values that bring it about.

    `files` names the official files of a corruption (`fog/3`) where images come corrupted already. `probes` see the
    images in the fixed order of `Shuffled`; an `optional` setup is left out where its data set is not at hand.
    """

    dataset: str
    split: str = ""
    files: str = ""
    corruption: Corruption | None = None
    attack: "Attack | None" = None
    probes: "tuple[Probe, ...]" = ()
    optional: bool = False

    @functools.cached_property
    def condition(self) -> Condition:
        """What the numbers are of."""
        name, _, severity = self.files.partition("/")
        jpeg = None
        if self.corruption:
            name, severity, jpeg = self.corruption.name, str(self.corruption.severity), self.corruption.jpeg_quality
        return Condition(
            self.dataset,
            self.split,
            name,
            int(severity or 0),
            jpeg,
            self.attack.fields if self.attack else None,
            tuple(probe.name for probe in self.probes),
        )

    @property
    def name(self) -> str:
        """The condition's canonical string."""
        return str(self.condition)

    @property
    def part(self) -> str:
        """What of the data set is opened: its split, or the official files of a corruption."""
        return self.files or self.split

    @property
    def unit_images(self) -> int:
        """Images in one unit of this condition."""
        if self.probes:
            return max(probe.unit_images for probe in self.probes)
        return ATTACK_UNIT_IMAGES if self.attack else UNIT_IMAGES


def refuse(options: RunOptions, names: Iterable[str], why: str) -> None:
    """Raise `UsageError` if one of the options called `names` was given: what is ignored must not look heeded."""
    if found := [OPTIONS[name].flag for name in names if name in options.changed()]:
        raise UsageError(f"{', '.join(found)}: {why}")


@dataclass(frozen=True)
class Suite:
    """A named set of conditions and the metrics made of them, of records or (`measures`) of measurements.

    `version` is raised whenever a number may move. `uses` names the options, among those that are `by_suite`, that its
    conditions follow.
    """

    name: str
    title: str
    version: int
    conditions: Callable[[ModelCard, RunOptions], list[Setup]]
    metrics: tuple[Metric, ...]
    headline: str
    measures: tuple[Measure, ...] = ()
    uses: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[Metric | Measure, ...]:
        """Every number that the suite gives."""
        return (*self.metrics, *self.measures)
