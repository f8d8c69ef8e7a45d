"""A published number of a checkpoint, as fields: metric, data set, attack and source."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from model_zoo.errors import CardError

ReportedMetric = Literal[
    "accuracy",
    "error",
    "clean_accuracy",
    "accuracy_200",
    "accuracy_matched_frequency",
    "real_accuracy",
    "robust_accuracy",
    "robust_error",
    "attack_success",
    "mce",
    "mean_accuracy",
    "mean_error",
    "shape_bias",
    "accuracy_gain",
    "mce_reduction",
]
"""As the suites here name their metrics, and what only papers print: `accuracy_200` is top-1 over the 200 classes of
ImageNet-A and -R, `attack_success` how often a targeted attack reaches its class, `accuracy_gain` and `mce_reduction`
differences of two models in points."""

NO_SHARES = ("mce", "accuracy_gain", "mce_reduction")
"""Metrics that are no share of images, and may exceed 100."""

UNDER_ATTACK = ("robust_accuracy", "robust_error", "attack_success")

Reading = Literal["printed", "by pixel", "by eye", "secondary"]
"""How the number was read: as text, from a figure's pixels, from a figure by eye, or from a quotation."""


@dataclass(frozen=True)
class ReportedNumber:
    """One published number.

    dataset: the data set by its name here; a set that no suite has (`objectnet`) has a name all the same
    attack, norm, eps, steps, step_size, restarts, targeted: of a number under attack; eps and step_size are fractions
        of the pixel range ("4/255"); 0, "" and None where the source does not say
    branch: the normalisation branch that it is of, where the checkpoint has several
    subset: which images, where not the whole data set; such a number stands beside no measured one
    size: the side of the network's input in pixels; 0 where the source does not say
    suite, protocol: of a number measured by this package, the suite and the hash of its protocol
    low, high, n: its 95 % interval and the images that it is of, where they are known
    reading: how it was read; note: what else the source says of the evaluation; by: `authors`, or who measured it
    """

    metric: ReportedMetric
    value: float
    source: str
    unit: str = "%"
    dataset: str = "imagenet"
    attack: str = ""
    norm: Literal["", "linf", "l2", "l1"] = ""
    eps: str = ""
    steps: int = 0
    step_size: str = ""
    restarts: int = 0
    targeted: bool | None = None
    branch: str = ""
    subset: str = ""
    size: int = 0
    suite: str = ""
    protocol: str = ""
    low: float | None = None
    high: float | None = None
    n: int = 0
    reading: Reading = "printed"
    note: str = ""
    by: str = "authors"

    def __post_init__(self) -> None:
        place = f"reported.{self.metric}"
        if not math.isfinite(self.value):
            raise CardError(f"{place}: value must be finite, found {self.value}")
        if self.metric not in NO_SHARES:
            _check_percent(self, place)
        attacked = self.metric in UNDER_ATTACK and not self.suite
        if attacked and not (self.attack and self.norm and self.eps):
            raise CardError(f"{place}: a number under attack says attack, norm and eps")
        if not self.attack and (self.norm or self.eps or self.steps or self.step_size or self.targeted is not None):
            raise CardError(f"{place}: norm, eps, steps, step_size and targeted are an attack's; name it (attack)")
        if bool(self.suite) != bool(self.protocol):
            raise CardError(f"{place}: suite and protocol come together, of a number measured by this package")
        for name in ("eps", "step_size"):
            _check_fraction(getattr(self, name), f"{place}: {name}")
        if min(self.steps, self.restarts) < 0:
            raise CardError(f"{place}: steps and restarts are counts, found {self.steps} and {self.restarts}")

    @property
    def is_error(self) -> bool:
        """Whether it counts errors, so that lower is better."""
        return self.metric in ("error", "robust_error")

    @property
    def accuracy(self) -> float:
        """The number with errors converted to accuracy, in percent; other numbers unchanged."""
        return 100 - self.value if self.is_error else self.value

    def briefly(self) -> str:
        """Data set (or suite) and attack: `imagenet, PGD-10`."""
        attack = f"PGD-{self.steps}" if self.attack == "pgd" and self.steps else self.attack
        return ", ".join(filter(None, [self.suite or self.dataset, attack]))

    def under(self) -> str:
        """Data set and full attack, for display: `imagenet, PGD-10, linf eps 4/255, step 1/255, untargeted`."""
        target = {True: "targeted", False: "untargeted", None: ""}[self.targeted]
        parts = [
            self.briefly(),
            self.eps and f"{self.norm} eps {self.eps}",
            self.step_size and f"step {self.step_size}",
            target,
            self.branch and f"branch {self.branch}",
            self.subset,
            self.note,
            self.protocol,
            "" if self.reading == "printed" else f"read {self.reading}" if " " in self.reading else self.reading,
        ]
        return ", ".join(filter(None, parts))


def _check_percent(number: ReportedNumber, place: str) -> None:
    """Refuse a share in another unit, and one that looks like a fraction of 1: without an attack no network is right
    (or wrong) on less than 1 % of a set but ImageNet-A, and under attack percentages have two decimals."""
    found = f"found {number.value:g} {number.unit}"
    if not (number.unit == "%" and 0 <= number.value <= 100):
        raise CardError(f"{place}: a share is in %, from 0 to 100, {found}")
    small = 0 < number.value <= 1 and number.dataset != "imagenet-a" and not number.suite
    if small and (not number.attack or round(number.value, 2) != number.value):
        raise CardError(f"{place}: a share is in %, {found}, which looks like a fraction of 1")


def fraction(text: str) -> Fraction:
    """Read `4/255` or `0.5/255`. Raises `ValueError` for any other text."""
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below or 1)


def _check_fraction(text: str, place: str) -> None:
    try:
        if text and not fraction(text) > 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise CardError(f'{place} must be a positive fraction such as "4/255", found {text!r}') from None
