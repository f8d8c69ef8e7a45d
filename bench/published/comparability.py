"""Which measured column a published number may stand beside: the same images, the same attack."""

from collections.abc import Sequence

from bench.condition import AttackFields, Condition
from bench.published.table import Published
from model_zoo.registry import split_branch
from model_zoo.reported import ReportedNumber, fraction

ALIKE = {"error": "accuracy", "robust_error": "robust_accuracy", "clean_accuracy": "accuracy"}
"""Metrics that are another one, or 100 % less it."""

CORRUPTED = ("imagenet-c", "imagenet-3dcc")
"""Data sets whose files are corrupted images: theirs is what is measured, not a corruption made here."""


def beside(published: Published, suite: str, metric: str, protocol: str, conditions: Sequence[str]) -> float | None:
    """The number as it reads in the column of `metric`, or None where it is of something else.

    `conditions` are those of the column's protocol. Details that a paper leaves unsaid (how an image was resized) do
    not part; a data set, a part of it, an attack, its budget, steps, step size or target that differ do.
    """
    number = published.number
    if number.suite:
        own = split_branch(published.model).branch
        same = (number.suite, number.metric, number.protocol) == (suite, metric, protocol)
        return number.value if same and number.branch in ("", own) else None
    if number.subset or ALIKE.get(number.metric, number.metric) != ALIKE.get(metric, metric):
        return None
    return number.accuracy if _same_pictures(number, conditions) else None


def _same_pictures(number: ReportedNumber, conditions: Sequence[str]) -> bool:
    """Whether one of the column's conditions is the number's data set, clean, or under the attack that it is of."""
    found = [c for c in map(_read, conditions) if c and c.dataset == number.dataset and not c.split and not c.probes]
    attacks = [c.attack for c in found if c.attack]
    if number.attack:
        return len(attacks) == 1 and same_attack(number, attacks[0])
    return any(c.clean or (c.corruption and c.dataset in CORRUPTED) for c in found)


def _read(text: str) -> Condition | None:
    """The condition; None where a results folder of somebody else's names one that this version does not know."""
    try:
        return Condition.parse(text)
    except ValueError:
        return None


def same_attack(number: ReportedNumber, attack: AttackFields) -> bool:
    """Whether the attack is the number's: every field that the number says, and for PGD steps and target as well."""
    said = {
        "family": number.attack,
        "norm": number.norm,
        "eps": fraction(number.eps),
        "steps": number.steps or None,
        "step_size": fraction(number.step_size) if number.step_size else None,
        "targeted": number.targeted,
    }
    if number.attack == "pgd" and (said["steps"] is None or said["targeted"] is None):
        return False
    return all(getattr(attack, name) == value for name, value in said.items() if value is not None)
