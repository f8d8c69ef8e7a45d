"""Which column of a leaderboard somebody else's number may stand beside: the same pictures, the same attack."""

import re
from collections.abc import Sequence

from bench.published.outside import Published
from model_zoo.registry import split_branch

CONDITIONS = {
    "clean top-1": ("imagenet/clean", "accuracy clean_accuracy"),
    "ImageNet-A top-1": ("imagenet-a/clean", "accuracy_200"),
    "ImageNet-R top-1": ("imagenet-r/clean", "accuracy_200"),
    "clean top-1 on the 200 ImageNet-A classes": ("imagenet-a-clean/clean", "accuracy_200"),
    "clean top-1 on the 200 ImageNet-R classes": ("imagenet-r-clean/clean", "accuracy_200"),
    "ImageNet-V2 matched-frequency top-1": ("imagenet-v2/clean", "accuracy_matched_frequency"),
    "ImageNet-Sketch top-1": ("imagenet-sketch/clean", "accuracy"),
    "Stylized-ImageNet top-1": ("stylized/clean", "accuracy"),
    "ImageNet-ReaL top-1": ("imagenet/clean", "real_accuracy"),
    "ImageNet-C mCE": ("imagenet-c/fog/3", "mce"),
    "shape bias": ("cue-conflict/clean", "shape_bias"),
}
"""A published metric, and the condition and the metrics here that are it."""

ERRORS = {"clean top-1 error": "clean top-1", "robust error": "robust acc"}
"""Metrics that are 100 % less another."""


def beside(number: Published, suite: str, metric: str, protocol: str, conditions: Sequence[str]) -> float | None:
    """The number as it reads in the column of `metric`, or None where it is of something else.

    `conditions` are those of the column's protocol. Details that a paper leaves unsaid (how a picture was resized) do
    not part; a data set, an attack, its budget, steps or target that differ do.
    """
    value, name = number.value, number.metric
    if name in ERRORS:
        value, name = 100 - value, ERRORS[name]
    if number.protocol.startswith("tiny"):
        return value if _tiny(number, suite, metric, protocol) else None
    if metric == "robust_accuracy":
        attacked = [
            c for c in conditions if c.startswith(("imagenet/", "robustbench-5k/")) and not c.endswith("/clean")
        ]
        return value if len(attacked) == 1 and _same_attack(name, number.protocol, attacked[0]) else None
    condition, metrics = CONDITIONS.get(name, ("", ""))
    return value if condition in conditions and metric in metrics.split() else None


def _tiny(number: Published, suite: str, metric: str, protocol: str) -> bool:
    """Cards of tiny models name suite, branch and the protocol's own hash."""
    named, *branch, digest = number.protocol.split(", ")
    own = split_branch(number.model).branch
    right_branch = not branch or branch[0] == f"branch {own}"
    return (named, number.metric, digest) == (suite, metric, protocol) and right_branch


def _same_attack(metric: str, text: str, condition: str) -> bool:
    """Whether the prose of a paper names the attack of a condition."""
    attack = condition.rpartition("/")[2]
    eps = re.search(r"eps\s*=?\s*([\d.]+)/255", text)
    if eps is None or f"-linf-eps{eps[1]}_255" not in attack:
        return False
    if metric == "AutoAttack":
        return attack.startswith("autoattack-")
    steps, step = re.search(r"PGD-(\d+)", text), re.search(r"step(?: size)? ([\d.]+)/255", text)
    wanted = "untargeted" if "untargeted" in text else "targeted" if "targeted" in text else ""
    return bool(
        metric == "robust acc"
        and attack.startswith("pgd-")
        and steps
        and f"-k{steps[1]}-" in attack
        and (step is None or f"-a{step[1]}_255" in attack)
        and wanted
        and attack.endswith(f"-{wanted}")
    )
