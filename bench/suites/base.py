"""What a suite declares. It runs nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from bench.attacks.base import Attack
from bench.corruptions import Corruption
from bench.datasets.preprocess import InputProtocol
from bench.diagnostics.probe import Probe
from bench.metrics.base import Measure, Metric
from model_zoo.card import ModelCard

UNIT_IMAGES = 200
ATTACK_UNIT_IMAGES = 100
"""Images in a unit of work: small enough that a kill loses little, large enough that batches stay full."""


@dataclass(frozen=True)
class Condition:
    """A data set (or its `part`), corrupted or not, attacked or not, and what looks at the model on it.

    `probes` see the images in the fixed order of `Shuffled`; an `optional` condition is left out where its data set is
    not at hand.
    """

    dataset: str
    part: str = ""
    corruption: Corruption | None = None
    attack: Attack | None = None
    probes: tuple[Probe, ...] = ()
    optional: bool = False

    @property
    def name(self) -> str:
        """The canonical string: `imagenet/clean`, `imagenet-c/fog/3`, `imagenet/fog/3-jpeg85`, `imagenet/pgd-...`;
        probes follow a colon: `imagenet/clean:moments+consistency`."""
        pieces = [self.part, str(self.corruption or ""), self.attack.name if self.attack else ""]
        shown = "/".join([self.dataset, *(filter(None, pieces))]) if any(pieces) else f"{self.dataset}/clean"
        return ":".join(filter(None, [shown, "+".join(probe.name for probe in self.probes)]))

    @property
    def unit_images(self) -> int:
        """Images in one unit of this condition."""
        if self.probes:
            return max(probe.unit_images for probe in self.probes)
        return ATTACK_UNIT_IMAGES if self.attack else UNIT_IMAGES


@dataclass(frozen=True)
class Options:
    """What the user may choose about a run's conditions; `None` leaves it to the suite."""

    dataset: str | None = None
    protocol: InputProtocol = "canonical"
    eps: tuple[Fraction, ...] = ()
    norm: str = "linf"
    steps: int | None = None
    step_size: Fraction | None = None
    restarts: int = 1
    targeted: bool = False
    attack_engine: str = "native"


@dataclass(frozen=True)
class Suite:
    """A named set of conditions and the metrics made of them, of records or (`measures`) of measurements.

    `version` is raised whenever a number may move.
    """

    name: str
    title: str
    version: int
    conditions: Callable[[ModelCard, Options], list[Condition]]
    metrics: tuple[Metric, ...]
    headline: str
    measures: tuple[Measure, ...] = ()

    @property
    def numbers(self) -> tuple[Metric | Measure, ...]:
        """Every number that the suite gives."""
        return (*self.metrics, *self.measures)
