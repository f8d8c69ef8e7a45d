"""AutoAttack, its parts by their own names, the cheaper ensemble under its own, and the attacks that NoFrost lists."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.attacks.budget import check_budget
from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites.base import Setup, Suite, refuse
from bench.suites.budgets import NOFROST_EPS, usual_eps
from bench.suites.clean import home
from bench.suites.pgd import METRICS
from model_zoo.card import ModelCard

if TYPE_CHECKING:
    from bench.attacks.base import Attack

Make = Callable[[Fraction], "Attack"]
"""An attack of a budget."""

CHOICES = ("steps", "step_size", "restarts", "targeted")


def under(card: ModelCard, options: RunOptions, make: Make, usual: Fraction) -> list[Setup]:
    """Clean, then one condition a budget."""
    dataset = home(card, options)
    return [Setup(dataset), *(Setup(dataset, attack=make(eps)) for eps in options.eps or (usual,))]


def _in_norm(card: ModelCard, options: RunOptions, make: "Callable[..., Attack]", **choices: Any) -> list[Setup]:
    norm = check_budget(options.norm, Fraction(0))
    return under(card, options, partial(make, norm, **choices), usual_eps(norm, card))


def refuse_choices(options: RunOptions) -> None:
    """Raise `UsageError` for what is fixed in an ensemble."""
    refuse(options, CHOICES, "part of an ensemble's name: choose only --eps and --norm, or use --suite pgd")


def _autoattack(card: ModelCard, options: RunOptions) -> list[Setup]:
    refuse_choices(options)
    if options.attack_engine == "reference":
        from bench.attacks.reference import reference

        return _in_norm(card, options, reference, classes=card.classes)
    from bench.attacks.autoattack import autoattack

    return _in_norm(card, options, autoattack, classes=card.classes)


def _aa_fast(card: ModelCard, options: RunOptions) -> list[Setup]:
    from bench.attacks.autoattack import aa_fast

    refuse_choices(options)
    if options.attack_engine == "reference":
        raise UsageError("aa-fast has no reference engine: it is this package's own; use --suite autoattack")
    return _in_norm(card, options, aa_fast, classes=card.classes)


def _autoattack_rand(card: ModelCard, options: RunOptions) -> list[Setup]:
    """The attack alone: a random model has no clean pass that repeats, and the attack looks at clean pictures, too."""
    from bench.attacks.randomised import autoattack_rand

    refuse_choices(options)
    return _in_norm(card, options, autoattack_rand, classes=card.classes)[1:]


def _apgd(loss: str, card: ModelCard, options: RunOptions) -> list[Setup]:
    from bench.attacks.autoattack import STEPS, apgd

    return _in_norm(card, options, apgd, loss=loss, steps=options.steps or STEPS, restarts=options.restarts)


def _targeted(name: str, card: ModelCard, options: RunOptions) -> list[Setup]:
    from bench.attacks.autoattack import STEPS, TARGETS, apgd_t, fab_t

    make = {"apgd-t": apgd_t, "fab-t": fab_t}[name]
    return _in_norm(card, options, make, targets=min(TARGETS, card.classes - 1), steps=options.steps or STEPS)


def _square(card: ModelCard, options: RunOptions) -> list[Setup]:
    from bench.attacks.autoattack import square

    return _in_norm(card, options, square)


def _nofrost(name: str, card: ModelCard, options: RunOptions) -> list[Setup]:
    from bench.attacks.nofrost import NOFROST, STEPS

    make, steps, step = NOFROST[name], options.steps or STEPS, options.step_size
    return under(card, options, lambda eps: make(eps, steps, step), NOFROST_EPS)


Conditions = Callable[[ModelCard, RunOptions], list[Setup]]


def _suite(name: str, title: str, conditions: Conditions, *uses: str) -> Suite:
    offered = ("dataset", "eps", *uses, "reliability")
    return Suite(name, f"accuracy under {title}", 1, conditions, METRICS, "robust_accuracy", uses=offered)


def _as_nofrost(name: str, title: str) -> Suite:
    return _suite(name, f"{title}, as in NoFrost's evaluation", partial(_nofrost, name), "steps", "step_size")


_LOSSES = {"ce": "cross-entropy", "dlr": "the difference of logits ratio", "pm": "the probability margin"}

SUITES = (
    _suite("autoattack", "AutoAttack's standard ensemble", _autoattack, "norm", "attack_engine"),
    Suite(
        "autoattack-rand",
        "accuracy of a randomised model under AutoAttack's rand version, with gradients over 20 draws",
        1,
        _autoattack_rand,
        METRICS[:1],
        "robust_accuracy",
        uses=("dataset", "eps", "norm"),
    ),
    _suite("aa-fast", "a cheaper ensemble, comparable only with itself", _aa_fast, "norm"),
    *(
        _suite(f"apgd-{loss}", f"Auto-PGD on {title}", partial(_apgd, loss), "norm", "steps", "restarts")
        for loss, title in _LOSSES.items()
    ),
    _suite("apgd-t", "Auto-PGD towards nine targets", partial(_targeted, "apgd-t"), "norm", "steps"),
    _suite("fab-t", "FAB towards nine targets", partial(_targeted, "fab-t"), "norm", "steps"),
    _suite("square", "Square Attack (no gradients)", _square, "norm"),
    _as_nofrost("bim", "the basic iterative method"),
    _as_nofrost("mi-fgsm", "the momentum iterative method"),
    _as_nofrost("mi-pgd", "the momentum iterative method from a random start"),
    _as_nofrost("cw-pgd", "PGD on Carlini and Wagner's loss"),
)
