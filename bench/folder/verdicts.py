"""What a comparison of two models says in words."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from bench.condition import Condition
from bench.text import counted

LEVEL = 0.05
"""A difference with a smaller corrected p is a verdict."""

MCE = "mCE"
"""First word of the condition in the rows of an mCE's difference; its images follow: `mCE imagenet-c`."""


def is_of_mce(condition: object) -> bool:
    """Return whether a row of a comparison is of mCE."""
    return str(condition).partition(" ")[0] == MCE


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of a comparison by pair, then clean, attacks by budget, corruptions by name and severity, mCE."""
    return sorted(rows, key=lambda row: (row["a"], row["b"], *_place(row["condition"])))


def _place(condition: str) -> tuple[Any, ...]:
    if is_of_mce(condition):
        return (2, condition)
    found = Condition.parse(condition)
    attack = found.attack
    return (
        1 if found.corruption else 0,
        found.dataset,
        found.corruption,
        found.severity,
        (attack.family, attack.norm, attack.eps) if attack else (),
        condition,
    )


def summary(ordered: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one sentence per pair, of rows `in_order`."""
    lines = []
    for (a, b), rows in itertools.groupby(ordered, key=lambda row: (row["a"], row["b"])):
        verdicts = [better_of(row) for row in rows]
        better = [f"{who} is better on {verdicts.count(who)}" for who in ("A", "B") if who in verdicts]
        equal = [f"not told apart on {verdicts.count('')}"] if "" in verdicts else []
        of = counted(len(verdicts), "condition")
        lines.append(f"{a} (A) against {b} (B): {', '.join([*better, *equal])} of {of}")
    return lines


def better_of(row: Mapping[str, Any]) -> str:
    """Return `A` or `B`, the better model, or an empty text if not significant. Lower mCE is better."""
    if not row["p_holm"] < LEVEL:
        return ""
    return "A" if (row["difference"] > 0) != is_of_mce(row["condition"]) else "B"
