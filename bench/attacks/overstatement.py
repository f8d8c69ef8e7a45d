"""How much a robust accuracy overstates: do the images that stand in its records fall to stronger attacks?

The attacks are within the same budget, and longer and more of them than papers usually run. What they find is a lower
bound of what the number overstates by, on a sample of the standing images.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from bench.attacks import masking
from bench.attacks.autoattack import apgd, apgd_t, square
from bench.attacks.base import Attack
from bench.attacks.losses import CLASSES_NEEDED
from bench.attacks.masking import AttackedModel
from bench.attacks.presets import make_pgd
from bench.condition import SHORT
from bench.metrics.estimate import wilson

Level = Literal["reliable", "doubtful", "unreliable"]

TARGETS, TARGETED_STEPS = 5, 50
"""Of the targeted Auto-PGD: towards the five likeliest wrong classes."""

DOUBTFUL = 0.05
"""Share of all images by which a number may overstate and still be reliable. What papers report of adversarially
trained networks that mask nothing lies 2.4 (Hendrycks et al. 2019) to 4.6 points (Shafahi et al. 2019) above
AutoAttack, 2.8 for Madry et al.'s (CIFAR-10 table in fra31/auto-attack's README, commit 0185c79)."""

UNRELIABLE = 0.10
"""By more than ten points AutoAttack's abstract says to have lowered what defences reported that it calls broken (arXiv
2003.01690); only where the interval lies beyond `DOUBTFUL`, too."""


@dataclass(frozen=True)
class Overstatement:
    """A count: of `images` images that stand in the records `fallen` fall to stronger attacks; all that stand are the
    share `standing` of the scored images. `short`: the attack's own steps cannot reach the edge of its budget."""

    images: int
    fallen: int
    standing: float
    short: bool = False

    @property
    def value(self) -> float:
        """Share of all scored images by which the number overstates, at least."""
        return self.standing * self.fallen / self.images if self.images else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval (Wilson's, of the share that falls)."""
        if not self.images:
            return 0.0, 0.0
        low, high = wilson(self.fallen, self.images)
        return self.standing * low, self.standing * high

    @property
    def level(self) -> Level:
        """What it makes of the number."""
        if self.value > UNRELIABLE and self.interval[0] > DOUBTFUL:
            return "unreliable"
        return "doubtful" if self.value > DOUBTFUL or self.short else "reliable"

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval)
        short = "; its steps together do not reach the edge of its budget" if self.short else ""
        if not self.images:
            return "no image stands in the number, which can overstate nothing"
        return (
            f"the number overstates by {100 * self.value:.1f} points [{low:.1f}, {high:.1f}] or more: of {self.images} "
            f"images that stand in it {self.fallen} fall to stronger attacks within the same budget{short}"
        )

    def to_dict(self) -> dict[str, object]:
        """Return what is stored."""
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
    """What the images that stand against `attack` are attacked with, of a model of `classes` classes.

    An attack towards a random class asks another question than one away from the label: what is stronger than it aims
    at the same classes, from the same starts.
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
    """Attack the images of `subject`, which stand against `attack`: a sample of the share `standing` of all."""
    left = torch.ones_like(subject.labels, dtype=torch.bool)
    for one in stronger(attack, subject.clean.shape[1]) if len(left) else ():
        left = subject.outlast(one, left)
    short = SHORT in attack.fields.words
    return Overstatement(len(left), int((~left).sum()), standing, short)
