"""AutoAttack's parts and the ensembles of them (Croce and Hein, arXiv 2003.01690)."""

from dataclasses import replace
from fractions import Fraction

from bench.attacks.apgd import Apgd
from bench.attacks.apgd_l1 import ApgdL1
from bench.attacks.base import Attack, Trial
from bench.attacks.budget import Norm, check_budget
from bench.attacks.fab import Fab
from bench.attacks.losses import CLASSES_NEEDED
from bench.attacks.schedule import When
from bench.attacks.square import Square
from bench.errors import UsageError

TARGETS = 9
STEPS = 100
QUERIES = 5000
"""The standard ensemble: section 4 and table 2 of the paper; one restart of each part."""

UNTARGETED = ("ce", "dlr", "pm")
"""Losses of untargeted Auto-PGD."""

L1_TARGETS = 5
L1_RESTARTS = 5
"""The L1 ensemble (arXiv 2103.01208, section 5.2): five starts of Auto-PGD on cross-entropy, and five targets of its
targeted form; FAB and Square as for the other norms."""


def _auto_pgd(norm: Norm, eps: Fraction, loss: str, steps: int, name: str) -> Apgd | ApgdL1:
    radius = float(eps)
    if check_budget(norm, eps) == "l1":
        return ApgdL1(radius, loss, steps, name)
    return Apgd(norm, radius, loss, steps, name)


def apgd(norm: Norm, eps: Fraction, loss: str = "ce", steps: int = STEPS, restarts: int = 1) -> Attack:
    """Make untargeted Auto-PGD on "ce", "dlr" or "pm" (arXiv 2411.15210)."""
    if loss not in UNTARGETED:
        raise UsageError(f"the loss of untargeted Auto-PGD must be {', '.join(UNTARGETED)}, found {loss!r}")
    search = _auto_pgd(norm, eps, loss, steps, f"apgd-{loss}")
    trials = tuple(Trial(search, restart) for restart in range(restarts))
    return Attack(search.name, norm, eps, trials, f"k{steps}-r{restarts}")


def apgd_t(norm: Norm, eps: Fraction, targets: int = TARGETS, steps: int = STEPS, loss: str = "dlr-targeted") -> Attack:
    """Make Auto-PGD on the targeted DLR loss, towards each of the `targets` most likely wrong classes."""
    search = _auto_pgd(norm, eps, loss, steps, "apgd-t")
    return Attack(
        search.name, norm, eps, tuple(Trial(search, rank=rank + 1) for rank in range(targets)), f"k{steps}-t{targets}"
    )


def fab_t(norm: Norm, eps: Fraction, targets: int = TARGETS, steps: int = STEPS) -> Attack:
    """Make targeted FAB, towards each of the `targets` most likely wrong classes."""
    search = Fab(check_budget(norm, eps), float(eps), steps)
    return Attack(
        search.name, norm, eps, tuple(Trial(search, rank=rank + 1) for rank in range(targets)), f"k{steps}-t{targets}"
    )


def square(norm: Norm, eps: Fraction, queries: int = QUERIES, rescale: bool = False) -> Attack:
    """Make Square Attack with `queries` queries."""
    search = Square(check_budget(norm, eps), float(eps), queries, rescale)
    return Attack(search.name, norm, eps, (Trial(search),), f"q{queries}{'-rescaled' if rescale else ''}")


def autoattack(norm: Norm, eps: Fraction, classes: int = TARGETS + 1) -> Attack:
    """Make the standard ensemble, with its own numbers of steps, targets and queries. With fewer than ten classes
    all wrong ones are targets, and the name gives their number (`t2-standard`)."""
    restarts, most = (L1_RESTARTS, L1_TARGETS) if norm == "l1" else (1, TARGETS)
    first, second = apgd(norm, eps, restarts=restarts), apgd_t(norm, eps, *_aims(most, classes))
    third = fab_t(norm, eps, _aims(TARGETS, classes)[0])
    choices = standard(classes)
    return ensemble("autoattack", first, second, third, square(norm, eps), choices=choices)


def standard(classes: int) -> str:
    """Return the settings in the standard ensemble's name."""
    return "standard" if classes > TARGETS else f"t{classes - 1}-standard"


def _aims(most: int, classes: int, steps: int = STEPS) -> tuple[int, int, str]:
    """Return the numbers of targets and steps, and the targeted loss, for a model of `classes` classes."""
    enough = classes >= CLASSES_NEEDED["dlr-targeted"]
    return min(most, classes - 1), steps, "dlr-targeted" if enough else "margin-targeted"


def ensemble(family: str, *parts: Attack, choices: str) -> Attack:
    """Make one attack of the trials of `parts`, in order, within their common budget."""
    trials = tuple(trial for part in parts for trial in part.trials)
    return Attack(family, parts[0].norm, parts[0].eps, trials, choices)


FAST_STEPS = 50
LED = (3, 400)
MISLED = (6, 1000)
"""Settings of `aa_fast`: steps, and targets and queries after a first trial that gradients led to a higher loss and
after one that they misled. A surviving image takes 101 + 2 x 9 + 3 x 101 + 401 passes (or 101 + 2 x 9 + 6 x 101 +
1,001), a tenth (a fifth) of the standard ensemble's 8,800 or more."""


def aa_fast(norm: Norm, eps: Fraction, classes: int = TARGETS + 1) -> Attack:
    """Make a cheaper ensemble, comparable only with itself: half the steps, few targets (the likeliest class, the one
    with the nearest boundary, and so on), no FAB, and Square with few queries and a rescaled schedule of sizes.

    Square stays because it breaks models with gradients that mislead the other two. There are more targets and queries
    for an image on which Auto-PGD was misled: a gradient was zero or not finite, many values of one were next to
    nothing, or no step raised the loss.
    """
    first = apgd(norm, eps, steps=FAST_STEPS)
    parts = (_fast_rest(norm, eps, classes, "led", *LED), _fast_rest(norm, eps, classes, "misled", *MISLED))
    few = f"t{classes - 1}-" if classes <= MISLED[0] else ""
    return ensemble("aa-fast", first, *parts, choices=f"{few}v2")


def _fast_rest(norm: Norm, eps: Fraction, classes: int, when: When, targets: int, queries: int) -> Attack:
    """Make the trials after the first, for images on which that was led or misled."""
    aimed = apgd_t(norm, eps, *_aims(targets, classes, FAST_STEPS))
    near = replace(aimed, trials=tuple(replace(trial, near=norm) for trial in aimed.trials))
    rest = ensemble("aa-fast", near, square(norm, eps, queries, rescale=True), choices=when)
    return replace(rest, trials=tuple(replace(trial, when=when) for trial in rest.trials))
