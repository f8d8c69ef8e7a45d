"""The reliability verdict of a robust accuracy: reliable, doubtful or unreliable, with its reasons.

Two checks: of the model (gradient masking) and of the number (do stronger attacks break surviving images?). The
criteria come from the literature on gradient masking: Athalye et al., arXiv 1802.00420, section 3.1; Carlini et al.,
arXiv 1902.06705, section 5; Croce and Hein, arXiv 2003.01690; Pintor et al., arXiv 2106.09947.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from torch import Tensor, nn

from bench.attacks import masking
from bench.attacks.base import Attack
from bench.attacks.budget import check_budget
from bench.attacks.checks import NoGradientsError, check_images, check_logits
from bench.attacks.masking import AttackedModel, Measurement, NotAssessableError
from bench.attacks.network import frozen_if_copied
from bench.attacks.overstatement import Overstatement, overstatement
from bench.errors import UsageError
from bench.metrics.estimate import wilson
from bench.rounding import decimal
from bench.text import counted

Level = Literal["reliable", "doubtful", "unreliable"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Levels from the best to the worst."""


@dataclass(frozen=True)
class Criterion:
    """A measurement, its limits for doubtful and unreliable, and its text.

    For a share of images, the lower end of its 95 % interval must exceed a limit; but a share above the second limit
    makes a number doubtful for any number of images.
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
        """Return the level of `value`; one image alone gives at most doubtful."""
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
    Criterion(masking.unbounded_survivors, 0, 0.05, "of the images survive an unbounded attack"),
    Criterion(masking.more_steps, 0.04, 0.10, "of the images are broken by PGD-200 but not by PGD-20"),
    Criterion(masking.adaptive_steps, 0.06, 0.12, "of the images are broken by APGD but not by PGD"),
    Criterion(masking.gradient_free, 0.01, 0.05, "of the images are broken by Square but not by gradient attacks"),
    Criterion(masking.transfer, 0.01, 0.05, "of the images are broken by transfer but not by this model's gradients"),
)
"""All criteria. Structural ones come first: if one gives unreliable, no attack is run. Shares are of the images that
are classified correctly without attack. The limits were set on two masked defences (quantised input, logits times
1e6) and on models without masking; other defences were only reported on (docs/attacks.md)."""


NOTHING_STANDS = "no image survives, so the number cannot overstate"


@dataclass(frozen=True)
class CheckedCriterion:
    """One criterion's value and level."""

    name: str
    value: float
    level: Level
    says: str

    def __str__(self) -> str:
        shown = decimal(self.value, ".3g") if self.name == "random_forward" else f"{decimal(100 * self.value)}%"
        return f"{shown} {self.says}"


@dataclass(frozen=True)
class StandingPictures:
    """Images [n, 3, h, w] that survive in a number's records, with labels and ids, and the share of all that
    survive."""

    images: Tensor
    labels: Tensor
    ids: Sequence[str]
    share: float


def spread(count: int, sample: int) -> list[int]:
    """Choose at most `sample` of `count` places, evenly spread."""
    return [i * count // sample for i in range(sample)] if sample < count else list(range(count))


@dataclass(frozen=True)
class Reliability:
    """The verdict on a robust accuracy with its evidence.

    `skipped` gives the reason for criteria without a value. `overstatement` is None if no attack's number was checked.
    """

    findings: tuple[CheckedCriterion, ...]
    skipped: dict[str, str]
    images: int
    overstatement: Overstatement | None = None

    @property
    def level(self) -> Level:
        """The worst level of all findings."""
        return max((finding.level for finding in self._everything), key=LEVELS.index, default="reliable")

    @property
    def because(self) -> list[str]:
        """The findings that give this level, overstatement first; all findings if the number is reliable."""
        return [str(f) for f in self._everything if f.level == self.level]

    @property
    def _everything(self) -> list[CheckedCriterion | Overstatement]:
        return [*filter(None, [self.overstatement]), *self.findings]

    def __str__(self) -> str:
        if self.level != "reliable":
            return f"{self.level}, because {'; '.join(self.because)}"
        number = f"; {self.overstatement}" if self.overstatement else ""
        checks = f"{counted(len(self.findings), 'check')} on {counted(self.images, 'image')}"
        return f"reliable: {checks} found no problem{number}"


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
    attack: Attack | None = None,
    standing: StandingPictures | None = None,
) -> Reliability:
    """Measure every criterion at the budget (`norm`, `eps`) on the correctly classified ones of `images` float32 [n, 3,
    h, w].

    `labels` int64 [n], `ids` unique; `surrogate` is another model of the same classes, used for transfer. With
    `attack`, the attack of a number, the number is checked as well: on the images that are `standing` in its records,
    or (None) on those of `images` that survive when it is run again. Raises `UsageError` for input that cannot be
    assessed.
    """
    check_images(images)
    if not eps:
        raise UsageError("at eps 0 the number is the clean accuracy: there is nothing to assess")
    everything = AttackedModel(
        frozen_if_copied(model), images, labels, ids, check_budget(norm, eps), eps, seed, batch_size, surrogate
    )
    check_logits(everything.clean, labels)
    right = everything.clean.argmax(1) == labels
    if not right.any():
        raise UsageError(f"the model is wrong on all {len(images)} images without attack: there is nothing to assess")
    if attack and standing and not standing.share:
        return Reliability((), {c.name: NOTHING_STANDS for c in CRITERIA}, 0, Overstatement(0, 0, 0.0))
    verdict = _judge(everything.select(right))
    if attack is None or any(f.level == "unreliable" for f in verdict.findings if _structural(f.name)):
        return verdict
    if standing is None:
        stands = everything.attack(attack).robust
        chosen = everything.select(stands)
        standing = StandingPictures(chosen.images, chosen.labels, chosen.ids, float(stands.float().mean()))
    looked_at = dataclasses.replace(everything, images=standing.images, labels=standing.labels, ids=standing.ids)
    return dataclasses.replace(verdict, overstatement=overstatement(looked_at, attack, standing.share))


def _judge(subject: AttackedModel) -> Reliability:
    findings: list[CheckedCriterion] = []
    skipped: dict[str, str] = {}
    for criterion in CRITERIA:
        if not criterion.structural and any(f.level == "unreliable" for f in findings if _structural(f.name)):
            skipped[criterion.name] = "an attack on such a forward pass has no verdict"
            continue
        try:
            value = criterion.measure(subject)
        except (NotAssessableError, NoGradientsError) as error:
            skipped[criterion.name] = str(error)
            continue
        findings.append(
            CheckedCriterion(criterion.name, value, criterion.level(value, len(subject.labels)), criterion.says)
        )
    return Reliability(tuple(findings), skipped, len(subject.labels))


def _structural(name: str) -> bool:
    return any(c.structural for c in CRITERIA if c.name == name)
