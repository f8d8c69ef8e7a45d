"""The papers' evaluation attacks, and PGD from the options of the command line."""

from fractions import Fraction
from typing import Literal

from bench.attacks.base import Attack, Trial
from bench.attacks.budget import check_budget
from bench.attacks.nofrost import step_size as nofrost_step
from bench.attacks.pgd import Pgd
from bench.condition import SHORT, spell
from bench.errors import UsageError
from model_zoo.card import ModelCard

PIXEL = Fraction(1, 255)


def default_step(eps: Fraction, steps: int) -> Fraction:
    """Return 2.5 eps / steps: it reaches the edge from any point of the ball and can still move along it (Madry et
    al., arXiv 1706.06083, section 5, for both norms). For 10 steps within 4/255 this is SAT's 1/255."""
    return Fraction(5, 2) * eps / steps if eps else PIXEL


def make_pgd(
    norm: str,
    eps: Fraction,
    steps: int,
    step_size: Fraction | None = None,
    restarts: int = 1,
    targeted: bool = False,
    keep: Literal["final", "best"] = "final",
    random_start: bool = True,
) -> Attack:
    """Make PGD with `steps` steps of `step_size` (None: `default_step`); an image is broken if any restart breaks
    it. `keep="best"` evaluates all iterates: `pgdbest-...`. The name is marked `-short` if the steps cannot cross
    the ball."""
    checked = check_budget(norm, eps)
    if checked == "l1":
        raise UsageError(
            "PGD with a fixed step is not an L1 attack: use --suite apgd-ce or autoattack (arXiv 2103.01208)"
        )
    step_size = default_step(eps, max(steps, 1)) if step_size is None else step_size
    if keep not in ("final", "best"):
        raise UsageError(f"keep must be final or best, found {keep!r}")
    if steps < 1 or restarts < 1 or step_size <= 0:
        raise UsageError(f"PGD needs steps, restarts and a step size above 0, found {steps}, {restarts}, {step_size}")
    if restarts > 1 and not (random_start or targeted):
        raise UsageError(f"{restarts} restarts from the clean image are the same search: give a random start, or one")
    search = Pgd(checked, float(eps), steps, float(step_size), targeted, random_start, keep, _pgd_name(keep))
    choices = [
        f"k{steps}",
        f"a{spell(step_size, checked)}",
        f"r{restarts}",
        "targeted" if targeted else "untargeted",
        *([] if random_start else ["cleanstart"]),
        *([SHORT] if steps * step_size < eps else []),
    ]
    trials = tuple(Trial(search, restart, -1 if targeted else 0) for restart in range(restarts))
    return Attack(search.name, checked, eps, trials, "-".join(choices))


def _pgd_name(keep: str) -> str:
    return "pgd" if keep == "final" else "pgdbest"


def sat(steps: int = 200) -> Attack:
    """Make SAT's attack (arXiv 2006.14536; `adv_model.py` of its code): untargeted, eps 4/255, step 1/255, one
    random start. The paper reports 200 steps, its README 10, 20 and 50."""
    return make_pgd("linf", 4 * PIXEL, steps, PIXEL)


def intriguing(steps: int = 2000) -> Attack:
    """Make the attack of Intriguing Properties (arXiv 1906.03787) with Feature Denoising's code: a random wrong
    class as target, eps 16/255, step max(1/255, eps / steps), one random start; 10 to 2,000 steps."""
    eps = 16 * PIXEL
    return make_pgd("linf", eps, steps, max(PIXEL, eps / steps), targeted=True)


def nofrost(steps: int = 20) -> Attack:
    """Make NoFrost's attack (arXiv 2207.01156; README and `test.py`): untargeted, eps 8/255, step min(1.25 eps, eps
    + 4/255) / steps, which is 0.5/255 for its 20 steps."""
    eps = 8 * PIXEL
    return make_pgd("linf", eps, steps, nofrost_step(eps, steps))


def advprop(eps: int = 4) -> Attack:
    """Make the attacker of AdvProp's training (arXiv 1911.09665, section 5.1): eps pixels with eps + 1 steps of
    1/255, a single step for eps 1. The paper evaluates only clean accuracy."""
    return make_pgd("linf", eps * PIXEL, 1 if eps == 1 else eps + 1, PIXEL)


_PUBLISHED = {"sat": sat, "intriguing": intriguing, "nofrost": nofrost, "advprop": advprop, "standard": sat}


def published(card: ModelCard) -> Attack:
    """Return the PGD of the paper of the card's method; for standard models, SAT's."""
    return _PUBLISHED[card.method]()
