"""Projected gradient descent with every choice written into the condition's name."""

from fractions import Fraction

from bench.attacks.budget import check_budget
from bench.condition import Condition
from bench.metrics.accuracy import accuracy, correct
from bench.metrics.base import Frames, Metric, MissingConditionError, records_of
from bench.metrics.estimate import Estimate, worst_first
from bench.options import RunOptions
from bench.suites.base import Setup, Suite, refuse
from bench.suites.budgets import usual_eps
from bench.suites.clean import home
from model_zoo.card import ModelCard

DEFAULT_STEPS = 10
"""SAT's evaluation is 10 steps of 1/255 within 4/255 (arXiv 2006.14536; its README reports 20 and 50, too)."""


ATTACK = ("eps", "norm", "steps", "step_size", "restarts", "targeted")
USES = ("dataset", *ATTACK, "reliability")


def conditions(card: ModelCard, options: RunOptions) -> list[Setup]:
    """Clean, then one condition a budget; `--protocol published` takes the attack of the model's own paper.

    Where they are not typed, eps is the field's for the norm and the images' size, and the step follows from norm,
    eps and steps. Raises `UsageError` where a paper's attack is asked for and changed at once.
    """
    from bench.attacks.presets import make_pgd, published

    dataset = home(card, options)
    if options.protocol == "published" and not options.eps:
        refuse(options, ATTACK, "--protocol published uses the attack of the model's own paper; for others give --eps")
        attacks = [published(card)]
    else:
        norm = check_budget(options.norm, Fraction(0))
        steps = options.steps or DEFAULT_STEPS
        attacks = [
            make_pgd(norm, eps, steps, options.step_size, options.restarts, bool(options.targeted))
            for eps in options.eps or (usual_eps(norm, card),)
        ]
    return [Setup(dataset), *(Setup(dataset, attack=attack) for attack in attacks)]


def clean_accuracy(frames: Frames) -> Estimate:
    """Accuracy without attack, on the same images."""
    return accuracy(records_of(frames, _clean(frames)))


def robust_accuracy(frames: Frames) -> Estimate:
    """Accuracy under the strongest budget: the lowest of a security curve."""
    return accuracy(records_of(frames, _strongest(frames)))


def _clean(frames: Frames) -> str:
    """Return the name of the only condition without attack."""
    clean = [name for name in frames if not Condition.parse(name).attack]
    if len(clean) != 1:
        raise MissingConditionError(f"expected one condition without attack, found {len(clean)}")
    return clean[0]


def _strongest(frames: Frames) -> str:
    """Return the name of the condition under attack with the lowest accuracy, or one without a scored image."""
    attacked = [name for name in frames if Condition.parse(name).attack]
    if not attacked:
        raise MissingConditionError("no condition under attack")
    return min(attacked, key=lambda name: worst_first(accuracy(records_of(frames, name))))


METRICS = (
    Metric(
        "robust_accuracy",
        robust_accuracy,
        True,
        "share",
        "share of all scored images still correct under attack",
        lambda frames: correct(frames[_strongest(frames)]),
    ),
    Metric(
        "clean_accuracy",
        clean_accuracy,
        True,
        "share",
        "top-1, all scored images",
        lambda frames: correct(frames[_clean(frames)]),
    ),
)

SUITES = (
    Suite("pgd", "accuracy under projected gradient descent", 2, conditions, METRICS, "robust_accuracy", uses=USES),
)
