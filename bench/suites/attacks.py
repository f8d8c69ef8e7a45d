"""AutoAttack, and the cheaper ensemble under its own name."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.attacks.budget import Norm, check_budget
from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites.base import Setup, Suite, refuse
from bench.suites.budgets import usual_eps
from bench.suites.clean import home
from bench.suites.pgd import METRICS
from model_zoo.card import ModelCard

if TYPE_CHECKING:
    from bench.attacks.base import Attack

Ensemble = Callable[[Norm, Fraction], "Attack"]


def _conditions(ensemble: Ensemble, card: ModelCard, options: RunOptions) -> list[Setup]:
    """Clean, then one condition a budget."""
    refuse(
        options,
        ("steps", "step_size", "restarts", "targeted"),
        "part of an ensemble's name: choose only --eps and --norm, or use --suite pgd",
    )
    norm, dataset = check_budget(options.norm, Fraction(0)), home(card, options)
    attacks = [ensemble(norm, eps) for eps in options.eps or (usual_eps(norm, card),)]
    return [Setup(dataset), *(Setup(dataset, attack=attack) for attack in attacks)]


def _autoattack(card: ModelCard, options: RunOptions) -> list[Setup]:
    if options.attack_engine == "reference":
        from bench.attacks.reference import reference

        return _conditions(reference, card, options)
    from bench.attacks.autoattack import autoattack

    return _conditions(autoattack, card, options)


def _aa_fast(card: ModelCard, options: RunOptions) -> list[Setup]:
    if options.attack_engine == "reference":
        raise UsageError("aa-fast has no reference engine: it is this package's own; use --suite autoattack")
    from bench.attacks.autoattack import aa_fast

    return _conditions(aa_fast, card, options)


SUITES = (
    Suite(
        "autoattack",
        "accuracy under AutoAttack's standard ensemble",
        1,
        _autoattack,
        METRICS,
        "robust_accuracy",
        uses=("dataset", "eps", "norm", "attack_engine", "reliability"),
    ),
    Suite(
        "aa-fast",
        "accuracy under a cheaper ensemble, comparable only with itself",
        1,
        _aa_fast,
        METRICS,
        "robust_accuracy",
        uses=("dataset", "eps", "norm", "reliability"),
    ),
)
