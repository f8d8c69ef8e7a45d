"""PGD made through each normalisation branch of a model: one row of the table of attack and prediction branches.

The model's own branch predicts (`tiny_mbn@adv`), so the full table is a run over all of its variants.
"""

from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites import pgd
from bench.suites.base import Setup, Suite
from model_zoo.card import ModelCard

if TYPE_CHECKING:
    from bench.attacks.base import Attack


def _through(attack: "Attack | None", branch: str) -> "Attack | None":
    return attack.made_through(branch) if attack else None


def conditions(card: ModelCard, options: RunOptions) -> list[Setup]:
    """Clean, then every attack of the suite `pgd` through every branch."""
    if not card.branches:
        raise UsageError(f"model {card.name!r} has no normalisation branches: use --suite pgd")
    clean, *attacked = pgd.conditions(card, options)
    return [clean, *(Setup(c.dataset, attack=_through(c.attack, b)) for c in attacked for b in card.branches)]


SUITES = (
    Suite(
        "pgd-branches",
        "PGD through each normalisation branch, predicted by the model's own branch",
        2,
        conditions,
        pgd.METRICS,
        "robust_accuracy",
        uses=pgd.USES,
    ),
)
