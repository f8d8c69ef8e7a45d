"""The authors' numbers on a card as claims that a run can be compared with, under the authors' own protocol."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.gate.baseline import RunSpec
from bench.gate.judgement import Evidence, interval_p
from bench.rounding import decimal
from bench.suites.registry import SUITES
from model_zoo.card import ModelCard
from model_zoo.reported import ReportedNumber


@dataclass(frozen=True)
class ReportedClaim:
    """One reported number as `metric` of a suite, in [0, 1]; `half` is half a unit of its last digit. `measure` is
    the run that it needs; without one, `protocol` is the hash that a measured number must have."""

    source: str
    suite: str
    metric: str
    value: float
    half: float
    measure: RunSpec | None = None
    protocol: str = ""


def claims(card: ModelCard, branch: str = "") -> list[ReportedClaim]:
    """Return the authors' claims on the card's model (of one branch of it) that a run can be compared with."""
    own = [n for n in card.reported if n.by == "authors" and n.branch in ("", branch)]
    found = (_measured_here(number) if number.suite else _of_paper(number) for number in own)
    return [claim for claim in found if claim]


def affordable(found: Sequence[ReportedClaim]) -> list[ReportedClaim]:
    """Choose, of the claims that need their own run, all clean ones, and the attack with the fewest steps."""
    ran = [claim for claim in found if claim.measure]
    attacked = [c for c in ran if c.suite == "pgd"]
    fewest = min((_steps(c) for c in attacked), default=0)
    return [claim for claim in ran if claim.suite != "pgd" or _steps(claim) == fewest]


def reported_evidence(model: str, found: Iterable[ReportedClaim], runs: Mapping[str, pd.DataFrame]) -> list[Evidence]:
    """Compare each claim with the number in the `results` frame of its own run (`runs`, by measure), or where it has
    none in any frame under its protocol, by that number's interval. If authors report several values of one number,
    the nearest is used."""
    nearest: dict[tuple[str, str, str, str], Evidence] = {}
    for claim in found:
        own = claim.measure.key if claim.measure else ""
        for frame in [runs[own]] if own in runs else [] if own else runs.values():
            for row in frame[(frame["model"] == model) & (frame["condition"] == "all")].to_dict("records"):
                if (row["suite"], row["metric"]) != (claim.suite, claim.metric):
                    continue
                if claim.protocol and claim.protocol != row["protocol"]:
                    continue
                evidence = _evidence(model, claim, row)
                key = (own, claim.suite, claim.metric, row["protocol"])
                if key not in nearest or evidence.p > nearest[key].p:
                    nearest[key] = evidence
    return list(nearest.values())


def _evidence(model: str, claim: ReportedClaim, row: dict[Any, Any]) -> Evidence:
    value = float(row["value"])
    reference = min(max(value, claim.value - claim.half), claim.value + claim.half)  # what its rounding leaves open
    p = interval_p(value, row["low"], row["high"], reference)
    higher = next(m.higher_is_better for m in SUITES[claim.suite].metrics if m.name == claim.metric)
    shown, low, high = (decimal(100 * each, ".2f") for each in (value, row["low"], row["high"]))
    text = f"reported {100 * claim.value:g} %, measured {shown} % [{low}, {high}], n {row['n']} ({claim.source})"
    difference = value - reference if higher else reference - value
    return Evidence(model, f"{claim.suite} {claim.metric}", "reported", difference, p, text)


def _measured_here(number: ReportedNumber) -> ReportedClaim | None:
    return _claim(number, number.suite, number.metric, protocol=number.protocol) if number.suite in SUITES else None


def _of_paper(number: ReportedNumber) -> ReportedClaim | None:
    """Return whether a number is printed, on the whole of ImageNet, and clean or under a fully specified PGD."""
    if number.dataset != "imagenet" or number.subset or number.reading != "printed":
        return None
    if number.metric in ("accuracy", "error"):
        return _claim(number, "imagenet", "accuracy", _run("imagenet"))
    told = number.attack == "pgd" and number.steps and number.step_size and number.targeted is not None
    if number.metric not in ("robust_accuracy", "robust_error") or not told:
        return None
    options = {
        "dataset": "imagenet",
        "norm": number.norm,
        "eps": number.eps,
        "steps": number.steps,
        "step_size": number.step_size,
        "targeted": number.targeted,
        "reliability": 0,
    }
    return _claim(number, "pgd", "robust_accuracy", _run("pgd", **options))


def _run(suite: str, **options: Any) -> RunSpec:
    return RunSpec(suite, SUITES[suite].version, {"protocol": "published", **options})


def _claim(
    number: ReportedNumber, suite: str, metric: str, measure: RunSpec | None = None, protocol: str = ""
) -> ReportedClaim:
    scale = 100 if number.unit == "%" else 1
    digits = len(repr(number.value).partition(".")[2])
    half = 0.5 * math.pow(10, -digits) / scale
    return ReportedClaim(number.source, suite, metric, number.accuracy / scale, half, measure, protocol)


def _steps(claim: ReportedClaim) -> int:
    return (claim.measure.run_options.steps or 0) if claim.measure else 0
