"""Comparability of a published number with a measured column: the same images and the same attack."""

from collections.abc import Sequence

from bench.condition import AttackFields, Condition
from bench.published.table import Published
from model_zoo.registry import split_branch
from model_zoo.reported import ReportedNumber, fraction

ALIKE = {"error": "accuracy", "robust_error": "robust_accuracy", "clean_accuracy": "accuracy"}
"""Metric -> the metric that it equals, or whose complement to 100 % it is."""

CORRUPTED = ("imagenet-c", "imagenet-3dcc")
"""Data sets whose files are corrupted images; their corruptions are not made here."""


def beside(
    published: Published, suite: str, metric: str, protocol: str, conditions: Sequence[str], size: int = 0
) -> float | None:
    """Return the number in the terms of the column `metric`, or None if the two are not comparable.

    `conditions` are those of the column's protocol, `size` is the measured model's input (0: unknown). Details that a
    source does not state (such as resizing) are ignored. A different data set, split, attack, budget, number of steps
    or restarts, step size, target or input size makes numbers incomparable.
    """
    number = published.number
    if number.size and size and number.size != size:
        return None
    if number.suite:
        own = split_branch(published.model).branch
        same = (number.suite, number.metric, number.protocol) == (suite, metric, protocol)
        return number.value if same and number.branch in ("", own) else None
    if number.subset or ALIKE.get(number.metric, number.metric) != ALIKE.get(metric, metric):
        return None
    return number.accuracy if _same_pictures(number, conditions) else None


def _same_pictures(number: ReportedNumber, conditions: Sequence[str]) -> bool:
    """Return whether one of the conditions has the number's data set, either clean or under the number's attack."""
    found = [c for c in map(_read, conditions) if c and c.dataset == number.dataset and not c.split and not c.probes]
    attacks = [c.attack for c in found if c.attack]
    if number.attack:
        return len(attacks) == 1 and same_attack(number, attacks[0])
    return any(c.clean or (c.corruption and c.dataset in CORRUPTED) for c in found)


def _read(text: str) -> Condition | None:
    """Return the parsed condition; None for one that this version does not know, from another results folder."""
    try:
        return Condition.parse(text)
    except ValueError:
        return None


def same_attack(number: ReportedNumber, attack: AttackFields) -> bool:
    """Return whether the attacks agree in every field that the number states; for PGD, steps and target must agree."""
    said = {
        "family": number.attack,
        "norm": number.norm,
        "eps": fraction(number.eps),
        "steps": number.steps or None,
        "step_size": fraction(number.step_size) if number.step_size else None,
        "restarts": number.restarts or None,
        "targeted": number.targeted,
    }
    if number.attack == "pgd" and (said["steps"] is None or said["targeted"] is None):
        return False
    return all(getattr(attack, name) == value for name, value in said.items() if value is not None)
