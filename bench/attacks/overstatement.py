"""Lower bound of how much a robust accuracy overstates: attack a sample of the surviving images with stronger attacks.

The attacks use the same budget, and are longer and more numerous than those that papers usually run.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import torch

from bench.attacks import masking
from bench.attacks.autoattack import apgd, apgd_t, square
from bench.attacks.base import Attack
from bench.attacks.checks import NoGradientsError
from bench.attacks.losses import CLASSES_NEEDED
from bench.attacks.masking import AttackedModel
from bench.attacks.presets import make_pgd
from bench.condition import SHORT
from bench.metrics.estimate import wilson
from bench.rounding import decimal

Level = Literal["reliable", "doubtful", "unreliable"]

TARGETS, TARGETED_STEPS = 5, 50
"""Targets of the targeted Auto-PGD: the five likeliest wrong classes."""

DOUBTFUL = 0.05
"""Share of all images by which a reliable number may overstate.

Published numbers of adversarially trained networks without gradient masking are 2.4 (Hendrycks et al. 2019) to 4.6
points (Shafahi et al. 2019) above AutoAttack, 2.8 for Madry et al.'s (CIFAR-10 table in fra31/auto-attack's README,
commit 0185c79).
"""

UNRELIABLE = 0.10
"""AutoAttack's abstract reports that it lowers the accuracy of defences that it calls broken by more than ten points
(arXiv 2003.01690); used only if the interval is also above `DOUBTFUL`."""


@dataclass(frozen=True)
class Overstatement:
    """Result: `fallen` of `images` surviving images were broken by stronger attacks; all surviving images are the
    share `standing` of the scored ones. `short`: the attack's own steps cannot reach the edge of its budget."""

    images: int
    fallen: int
    standing: float
    short: bool = False

    @property
    def value(self) -> float:
        """Lower bound of the share of all scored images by which the number overstates."""
        return self.standing * self.fallen / self.images if self.images else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval (Wilson's, of the share that was broken)."""
        if not self.images:
            return 0.0, 0.0
        low, high = wilson(self.fallen, self.images)
        return self.standing * low, self.standing * high

    @property
    def level(self) -> Level:
        """The level of the number."""
        if self.value > UNRELIABLE and self.interval[0] > DOUBTFUL:
            return "unreliable"
        return "doubtful" if self.value > DOUBTFUL or self.short else "reliable"

    def __str__(self) -> str:
        points, low, high = (decimal(100 * share) for share in (self.value, *self.interval))
        short = "; its steps together cannot reach the edge of its budget" if self.short else ""
        if not self.images:
            return "no image survives, so the number cannot overstate"
        return (
            f"the number overstates by {points} points [{low}, {high}] or more: of {self.images} "
            f"surviving images, stronger attacks within the same budget break {self.fallen}{short}"
        )

    def to_dict(self) -> dict[str, object]:
        """Return the stored form."""
        low, high = self.interval
        return {
            "images": self.images,
            "fallen": self.fallen,
            "standing": self.standing,
            "value": self.value,
            "low": low,
            "high": high,
            "level": self.level,
        }


def stronger(attack: Attack, classes: int) -> list[Attack]:
    """Return the attacks on images that survive `attack`, for a model of `classes` classes.

    A targeted attack with random classes measures something else than an untargeted one: the stronger attack uses the
    same targets, from the same starts.
    """
    norm, eps = attack.norm, attack.eps
    if attack.fields.targeted:
        sizes = {attack.fields.step_size or eps / 4, eps / 4}
        made = [
            make_pgd(norm, eps, masking.LONG, size, restarts=attack.fields.restarts or 1, targeted=True)
            for size in sorted(sizes)
        ]
    else:
        made = [apgd(norm, eps)]
        made += [apgd(norm, eps, "dlr")] if classes >= CLASSES_NEEDED["dlr"] else []
        enough = classes >= CLASSES_NEEDED["dlr-targeted"]
        made += [apgd_t(norm, eps, min(TARGETS, classes - 1), TARGETED_STEPS)] if enough else []
        made += [square(norm, eps, masking.QUERIES)]
    return [one.made_through(attack.through) if attack.through else one for one in made]


def overstatement(subject: AttackedModel, attack: Attack, standing: float) -> Overstatement:
    """Attack the images of `subject`, which survive `attack`: a sample of the share `standing` of all."""
    left = torch.ones_like(subject.labels, dtype=torch.bool)
    for one in stronger(attack, subject.clean.shape[1]) if len(left) else ():
        with suppress(NoGradientsError):  # which is a finding of its own
            left = subject.outlast(one, left)
    short = SHORT in attack.fields.words
    return Overstatement(len(left), int((~left).sum()), standing, short)
