"""The attacks in NoFrost's evaluation besides PGD and Auto-PGD (arXiv 2207.01156; `test.py` of its code).

All are in Linf, untargeted, with `steps` steps of min(1.25 eps, eps + 4/255) / steps, and evaluated at their final
iterate; there, eps is 8/255 with 20 steps.
"""

from fractions import Fraction

from bench.attacks.base import Attack, Trial
from bench.attacks.budget import Norm, check_budget
from bench.attacks.momentum import MomentumPgd
from bench.attacks.pgd import Pgd
from bench.attacks.queue import AnySearch
from bench.attacks.table import NOFROST_EPS
from bench.condition import spell
from bench.errors import UsageError

EPS = NOFROST_EPS
STEPS = 20


def step_size(eps: Fraction, steps: int) -> Fraction:
    """Return the step size for `steps` steps: 0.5/255 for 20 steps at eps 8/255."""
    return min(eps * Fraction(5, 4), eps + Fraction(4, 255)) / steps


def bim(eps: Fraction = EPS, steps: int = STEPS, step: Fraction | None = None) -> Attack:
    """Make the basic iterative method (arXiv 1607.02533): PGD from the clean image."""
    step = step or step_size(eps, steps)
    return _attack(Pgd("linf", float(eps), steps, float(step), random_start=False, name="bim"), eps, steps, step)


def mi_fgsm(eps: Fraction = EPS, steps: int = STEPS, step: Fraction | None = None) -> Attack:
    """Make the momentum iterative method (arXiv 1710.06081) from the clean image."""
    step = step or step_size(eps, steps)
    return _attack(MomentumPgd(float(eps), steps, float(step), False, "mi-fgsm"), eps, steps, step)


def mi_pgd(eps: Fraction = EPS, steps: int = STEPS, step: Fraction | None = None) -> Attack:
    """Make the momentum iterative method from a random start."""
    step = step or step_size(eps, steps)
    return _attack(MomentumPgd(float(eps), steps, float(step), True, "mi-pgd"), eps, steps, step)


def cw_pgd(eps: Fraction = EPS, steps: int = STEPS, step: Fraction | None = None) -> Attack:
    """Make PGD on Carlini and Wagner's loss (arXiv 1608.04644) with confidence 50."""
    step = step or step_size(eps, steps)
    return _attack(Pgd("linf", float(eps), steps, float(step), loss="cw", name="cw-pgd"), eps, steps, step)


def _attack(search: AnySearch, eps: Fraction, steps: int, step: Fraction) -> Attack:
    choices = f"k{steps}-a{spell(step)}-untargeted"
    return Attack(search.name, check_budget("linf", eps), eps, (Trial(search),), choices)


NOFROST = {"bim": bim, "mi-fgsm": mi_fgsm, "mi-pgd": mi_pgd, "cw-pgd": cw_pgd}


def named(norm: Norm, eps: Fraction, steps: int = STEPS, step_size: Fraction | None = None, *, name: str) -> Attack:
    """Make the attack called `name`. Raises `UsageError` for a norm other than Linf."""
    if norm != "linf":
        raise UsageError(f"{name} is an attack in Linf, found norm {norm}: use apgd-ce or autoattack")
    return NOFROST[name](eps, steps, step_size)
