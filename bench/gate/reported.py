"""The authors' numbers of a card as claims that a run can be held to, under the authors' own protocol."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from bench.gate.baseline import RunSpec
from bench.gate.judgement import Evidence, interval_p
from bench.suites.registry import SUITES
from model_zoo.card import ModelCard, ReportedNumber

_STEPS = re.compile(r"PGD-(\d+)|steps=(\d+)")
_EPS = re.compile(r"eps=([\d.]+)/255")
_STEP_SIZE = re.compile(r"step ([\d.]+)/255")
_PROTOCOL = re.compile(r"(?P<suite>[\w-]+)(?:, branch (?P<branch>\w+))?, (?P<hash>[0-9a-f]{12})")
"""How this package's own cards say it (`tools.publish`)."""

CLEAN = {"clean top-1": False, "clean top-1 error": True}
ROBUST = {"robust acc": False, "robust error": True}
"""Metrics of the published cards, and whether they count errors."""


@dataclass(frozen=True)
class ReportedClaim:
    """One reported number as `metric` of a suite, in [0, 1]; `half` is half a unit of its last digit.

    `measure` is the run that it takes; where there is none, `protocol` is the hash that a measured number must have.
    """

    source: str
    suite: str
    metric: str
    value: float
    half: float
    measure: RunSpec | None = None
    protocol: str = ""


def claims(card: ModelCard, branch: str = "") -> list[ReportedClaim]:
    """What the authors report of the card, as far as its protocol can be read."""
    found = (_own(number, branch) or _published(number) for number in card.reported if number.by == "authors")
    return [claim for claim in found if claim]


def affordable(found: Sequence[ReportedClaim]) -> list[ReportedClaim]:
    """Choose, of the claims that need a run of their own, all clean ones, and the attack of fewest steps."""
    ran = [claim for claim in found if claim.measure]
    attacked = [c for c in ran if c.suite == "pgd"]
    fewest = min((_steps(c) for c in attacked), default=0)
    return [claim for claim in ran if claim.suite != "pgd" or _steps(claim) == fewest]


def reported_evidence(model: str, found: Iterable[ReportedClaim], frame: pd.DataFrame) -> list[Evidence]:
    """Each claim against the number in a `results` frame of its own runs, by that number's interval.

    Where authors report several values of one number, the nearest counts.
    """
    rows = frame[(frame["model"] == model) & (frame["condition"] == "all")].to_dict("records")
    nearest: dict[tuple[str, str, str], Evidence] = {}
    for claim in found:
        for row in rows:
            if (row["suite"], row["metric"]) != (claim.suite, claim.metric):
                continue
            if claim.protocol and claim.protocol != row["protocol"]:
                continue
            evidence = _evidence(model, claim, row)
            key = (claim.suite, claim.metric, row["protocol"])
            if key not in nearest or evidence.p > nearest[key].p:
                nearest[key] = evidence
    return list(nearest.values())


def _evidence(model: str, claim: ReportedClaim, row: dict[Any, Any]) -> Evidence:
    value = float(row["value"])
    reference = min(max(value, claim.value - claim.half), claim.value + claim.half)  # what its rounding leaves open
    p = interval_p(value, row["low"], row["high"], reference)
    higher = next(m.higher_is_better for m in SUITES[claim.suite].metrics if m.name == claim.metric)
    ends = f"[{100 * row['low']:.2f}, {100 * row['high']:.2f}]"
    text = f"reported {100 * claim.value:g} %, measured {100 * value:.2f} % {ends}, n {row['n']} ({claim.source})"
    difference = value - reference if higher else reference - value
    return Evidence(model, f"{claim.suite} {claim.metric}", "reported", difference, p, text)


def _own(number: ReportedNumber, branch: str) -> ReportedClaim | None:
    match = _PROTOCOL.fullmatch(number.protocol)
    if match is None or (match["branch"] or branch) != branch or match["suite"] not in SUITES:
        return None
    return _claim(number, match["suite"], number.metric, protocol=match["hash"])


def _published(number: ReportedNumber) -> ReportedClaim | None:
    if not number.protocol.startswith(("ImageNet-1k val", "PGD")):
        return None
    if number.metric in CLEAN:
        measure = RunSpec("imagenet", SUITES["imagenet"].version, {"protocol": "published"})
        return _claim(number, "imagenet", "accuracy", measure, inverted=CLEAN[number.metric])
    options = _attack(number.protocol) if number.metric in ROBUST else None
    if options is None:
        return None
    measure = RunSpec("pgd", SUITES["pgd"].version, {"protocol": "published", "dataset": "imagenet", **options})
    return _claim(number, "pgd", "robust_accuracy", measure, inverted=ROBUST[number.metric])


def _claim(
    number: ReportedNumber,
    suite: str,
    metric: str,
    measure: RunSpec | None = None,
    *,
    inverted: bool = False,
    protocol: str = "",
) -> ReportedClaim:
    scale = 100 if number.unit == "%" else 1
    digits = len(repr(number.value).partition(".")[2])
    value = number.value / scale
    half = 0.5 * math.pow(10, -digits) / scale
    return ReportedClaim(number.source, suite, metric, 1 - value if inverted else value, half, measure, protocol)


def _attack(protocol: str) -> dict[str, Any] | None:
    """Options of the suite `pgd`; none where steps, budget or step size are not told."""
    steps, eps, step = _STEPS.search(protocol), _EPS.search(protocol), _STEP_SIZE.search(protocol)
    if not (steps and eps and step):
        return None
    return {
        "eps": str(Fraction(eps[1]) / 255),
        "steps": int(steps[1] or steps[2]),
        "step_size": str(Fraction(step[1]) / 255),
        "targeted": "untargeted" not in protocol,
        "reliability": 0,
    }


def _steps(claim: ReportedClaim) -> int:
    return int(claim.measure.options.get("steps", 0)) if claim.measure else 0
