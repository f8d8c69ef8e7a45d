"""Transfer from fixed other models: what needs no gradient of the model itself."""

from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites.attacks import under
from bench.suites.base import Setup, Suite
from bench.suites.budgets import usual_eps
from bench.suites.pgd import METRICS
from model_zoo.card import ModelCard

SURROGATES = {(32, 10): ("tiny_std", "tiny_std_s1", "tiny_at"), (224, 1000): ("resnet50", "resnet101", "sat_resnet50")}
"""By (pixels a side, classes): undefended networks, and one trained adversarially, whose images break others of its
kind."""


def _conditions(card: ModelCard, options: RunOptions) -> list[Setup]:
    from bench.attacks.transfer import transfer

    found = SURROGATES.get((card.input.size, card.classes))
    if found is None:
        raise UsageError(
            f"transfer has no surrogates for {card.input.size} pixels and {card.classes} classes: "
            "bench.attacks.transfer.transfer(eps, names) takes your own models"
        )
    others = [name for name in found if name != card.name]
    return under(card, options, lambda eps: transfer(eps, others), usual_eps("linf", card))


SUITES = (
    Suite(
        "transfer",
        "accuracy under attacks made on other models, an upper bound of robust accuracy",
        1,
        _conditions,
        METRICS,
        "robust_accuracy",
        uses=("dataset", "eps", "reliability"),
    ),
)
