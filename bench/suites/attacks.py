"""AutoAttack, its parts by their own names, the cheaper ensemble under its own, and the attacks that NoFrost lists."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.attacks import ATTACKS
from bench.attacks.budget import check_budget
from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites.base import Setup, Suite, refuse
from bench.suites.budgets import usual_eps
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
    refuse(options, CHOICES, "fixed by the ensemble: choose only --eps and --norm, or use --suite pgd")


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
        raise UsageError("aa-fast exists only in the native engine; use --suite autoattack")
    return _in_norm(card, options, aa_fast, classes=card.classes)


def _autoattack_rand(card: ModelCard, options: RunOptions) -> list[Setup]:
    """The attack alone: a random model has no clean pass that repeats, and the attack looks at clean images, too."""
    from bench.attacks.randomised import autoattack_rand

    refuse_choices(options)
    return _in_norm(card, options, autoattack_rand, classes=card.classes)[1:]


def _listed(name: str, card: ModelCard, options: RunOptions) -> list[Setup]:
    """The attack of the table called `name`, with what was chosen of its options."""
    from bench.attacks.call import make_attack

    listed = ATTACKS[name]
    norm = check_budget(options.norm, Fraction(0)) if "norm" in listed.options else "linf"
    asked = {choice: getattr(options, choice) for choice in CHOICES if choice in listed.options}
    chosen = {choice: value for choice, value in asked.items() if value is not None}

    def make(eps: Fraction) -> "Attack":
        return make_attack(name, norm, eps, card.classes, **chosen)

    return under(card, options, make, listed.eps or usual_eps(norm, card))


Conditions = Callable[[ModelCard, RunOptions], list[Setup]]


def _suite(name: str, title: str, conditions: Conditions, *uses: str) -> Suite:
    offered = ("dataset", "eps", *uses, "reliability")
    return Suite(name, f"accuracy under {title}", 1, conditions, METRICS, "robust_accuracy", uses=offered)


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
        _suite(name, listed.title, partial(_listed, name), *listed.options)
        for name, listed in ATTACKS.items()
        if listed.title
    ),
)
