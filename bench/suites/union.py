"""Several norms at once: an image counts that stands against Linf, L2 and L1."""

from functools import partial

from bench.attacks.budget import NORMS
from bench.metrics import union
from bench.metrics.accuracy import accuracy, correct
from bench.metrics.base import Frames, Metric
from bench.metrics.estimate import Estimate
from bench.options import RunOptions
from bench.suites.attacks import refuse_choices
from bench.suites.base import Setup, Suite, refuse
from bench.suites.budgets import usual_eps
from bench.suites.clean import home
from bench.suites.pgd import METRICS as PGD_METRICS
from model_zoo.card import ModelCard


def _conditions(fast: bool, card: ModelCard, options: RunOptions) -> list[Setup]:
    """Clean, then the ensemble in each norm at its usual budget."""
    from bench.attacks.autoattack import aa_fast, autoattack

    refuse_choices(options)
    refuse(options, ("eps", "norm"), "a union's budgets in Linf, L2 and L1 are the usual ones")
    make, dataset = aa_fast if fast else autoattack, home(card, options)
    attacks = [make(norm, usual_eps(norm, card), classes=card.classes) for norm in NORMS]
    return [Setup(dataset), *(Setup(dataset, attack=attack) for attack in attacks)]


def _alone(norm: str) -> Metric:
    def compute(frames: Frames) -> Estimate:
        return accuracy(union.under_norm(frames, norm))

    return Metric(
        f"{norm}_accuracy",
        compute,
        True,
        "share",
        f"share of all scored images correct under the attack in {norm}",
        lambda frames: correct(union.under_norm(frames, norm)),
    )


METRICS = (
    Metric(
        "union_accuracy",
        union.union_accuracy,
        True,
        "share",
        "share of all scored images correct under each of Linf, L2 and L1 (arXiv 1904.13000)",
        union.union_per_image,
    ),
    Metric(
        "average_accuracy",
        union.average_accuracy,
        True,
        "share",
        "mean of the accuracies under Linf, L2 and L1 (arXiv 1904.13000)",
        union.average_per_image,
    ),
    Metric("worst_accuracy", union.worst_accuracy, True, "share", "minimum of the accuracies under Linf, L2 and L1"),
    *(_alone(norm) for norm in union.THREATS),
    next(metric for metric in PGD_METRICS if metric.name == "clean_accuracy"),
)

SUITES = (
    Suite(
        "union",
        "accuracy under AutoAttack in Linf, L2 and L1, worst case of each image",
        1,
        partial(_conditions, False),
        METRICS,
        "union_accuracy",
        uses=("dataset", "reliability"),
    ),
    Suite(
        "union-fast",
        "the same with the cheaper ensemble, comparable only with itself",
        1,
        partial(_conditions, True),
        METRICS,
        "union_accuracy",
        uses=("dataset", "reliability"),
    ),
)
