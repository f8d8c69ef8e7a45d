"""Whether a robust accuracy can be believed: reliable, doubtful or unreliable, because of what was measured.

The reasons are those of the literature on masked gradients: Athalye et al., arXiv 1802.00420, section 3.1; Carlini et
al., arXiv 1902.06705, section 5; Croce and Hein, arXiv 2003.01690; Pintor et al., arXiv 2106.09947.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from torch import Tensor, nn

from bench.attacks import masking
from bench.attacks.budget import check_budget
from bench.attacks.checks import check_images, check_logits
from bench.attacks.masking import AttackedModel, Measurement, NotAssessableError
from bench.attacks.network import freeze
from bench.errors import UsageError
from bench.metrics.estimate import wilson

Level = Literal["reliable", "doubtful", "unreliable"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Levels from the best to the worst."""


@dataclass(frozen=True)
class Criterion:
    """A measurement, the values above which it makes a number doubtful and unreliable, and what it says then.

    Of a share of images it is the lower end of its 95 % interval that must lie above a limit; but a share itself
    above the second limit makes a number doubtful, however few the images.
    """

    measure: Measurement
    doubtful: float
    unreliable: float
    says: str
    structural: bool = False

    @property
    def name(self) -> str:
        """Name of the measurement, as in records."""
        return self.measure.__name__

    def level(self, value: float, images: int) -> Level:
        """What `value` makes of the number; one image alone makes it doubtful at most."""
        if self.structural:
            return LEVELS[(value > self.doubtful) + (value > self.unreliable)]
        count = round(value * images)
        low, _ = wilson(count, images)
        if low > self.unreliable and count > 1:
            return "unreliable"
        return "doubtful" if low > self.doubtful or value > self.unreliable else "reliable"


CRITERIA = (
    Criterion(masking.training_modules, 0, 0, "of the modules are in training mode", structural=True),
    Criterion(masking.random_forward, 1e-5, 1e-4, "relative change of the logits between two passes", structural=True),
    Criterion(masking.moved_at_zero, 0, 0, "of the predictions change at eps 0"),
    Criterion(masking.blind_gradients, 0.01, 0.10, "of the gradients are zero or not finite"),
    Criterion(masking.float64_disagreement, 0.05, 0.20, "of the gradients differ between float32 and float64"),
    Criterion(masking.flat_loss, 0.05, 0.20, "of the losses do not rise in 20 steps"),
    Criterion(masking.unbounded_survivors, 0, 0.05, "of the images stand where eps is no bound"),
    Criterion(masking.more_steps, 0.04, 0.10, "of the images fall to PGD-200 alone, not to PGD-20"),
    Criterion(masking.adaptive_steps, 0.06, 0.12, "of the images fall to APGD alone, not to PGD"),
    Criterion(masking.gradient_free, 0.01, 0.05, "of the images fall to Square alone, not to gradients"),
    Criterion(masking.transfer, 0.01, 0.05, "of the images fall to another model's examples, not to this one's"),
)
"""Structural ones come first: where one makes a number unreliable, no attack is run.

Shares are of the images that were right without attack. The limits were fixed on two masked defences (quantised input,
logits times 1e6) and on models that mask nothing; other defences were only reported on. docs/attacks.md says when and
why the limits came to be held against intervals.
"""


@dataclass(frozen=True)
class CheckedCriterion:
    """One criterion's value, and what it makes of the number."""

    name: str
    value: float
    level: Level
    says: str

    def __str__(self) -> str:
        return f"{self.value:.3g} {self.says}" if self.name == "random_forward" else f"{self.value:.1%} {self.says}"


@dataclass(frozen=True)
class Reliability:
    """The verdict on a robust accuracy with its masking; `skipped` says of criteria without a value why."""

    findings: tuple[CheckedCriterion, ...]
    skipped: dict[str, str]
    images: int

    @property
    def level(self) -> Level:
        """The worst of all findings."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="reliable")

    @property
    def because(self) -> list[str]:
        """The findings that make it so; all of them where nothing was found against it."""
        return [str(f) for f in self.findings if f.level == self.level]

    def __str__(self) -> str:
        reasons = "; ".join(self.because)
        if self.level == "reliable":
            return f"reliable: {len(self.findings)} checks on {self.images} images found nothing against it"
        return f"{self.level}, because {reasons}"


def assess(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    ids: Sequence[str],
    norm: str,
    eps: Fraction,
    *,
    seed: int = 0,
    batch_size: int = 32,
    surrogate: nn.Module | None = None,
) -> Reliability:
    """Measure every criterion at the budget (`norm`, `eps`) on those of `images` float32 [n, 3, h, w] that are right.

    `labels` int64 [n], `ids` unique; `surrogate` is another model of the same classes, whose adversarial examples are
    tried on this one. Raises `UsageError` for input on which nothing can be said.
    """
    check_images(images)
    everything = AttackedModel(
        freeze(model), images, labels, ids, check_budget(norm, eps), eps, seed, batch_size, surrogate
    )
    check_logits(everything.clean, labels)
    right = everything.clean.argmax(1) == labels
    if not right.any():
        raise UsageError(f"the model is wrong on all {len(images)} images without attack: there is nothing to assess")
    names = [name for name, chosen in zip(ids, right.tolist(), strict=True) if chosen]
    subject = dataclasses.replace(everything, images=images[right], labels=labels[right], ids=names)
    return _judge(subject)


def _judge(subject: AttackedModel) -> Reliability:
    findings: list[CheckedCriterion] = []
    skipped: dict[str, str] = {}
    for criterion in CRITERIA:
        if not criterion.structural and any(f.level == "unreliable" for f in findings if _structural(f.name)):
            skipped[criterion.name] = "an attack on such a forward pass has no verdict"
            continue
        try:
            value = criterion.measure(subject)
        except NotAssessableError as error:
            skipped[criterion.name] = str(error)
            continue
        findings.append(
            CheckedCriterion(criterion.name, value, criterion.level(value, len(subject.labels)), criterion.says)
        )
    return Reliability(tuple(findings), skipped, len(subject.labels))


def _structural(name: str) -> bool:
    return any(c.structural for c in CRITERIA if c.name == name)
