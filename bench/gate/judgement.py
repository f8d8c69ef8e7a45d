"""The gate's judgement: from evidence on single numbers to findings, as one family of tests."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from bench.folder.compare import differing
from bench.folder.reader import LoadedCell
from bench.gate.baseline import AcceptedCell, records_hash
from bench.metrics.estimate import Z
from bench.metrics.paired import compare, holm
from bench.rounding import decimal

LEVEL = 0.01
"""Family-wise error of one check: if nothing changed, at most one check in a hundred raises a false alarm."""


class Status(StrEnum):
    """Status of one number, or of a whole model."""

    REGRESSED = "regressed"
    ALTERED = "altered"
    UNCHECKED = "unchecked"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"


BAD = (Status.REGRESSED, Status.ALTERED)


@dataclass(frozen=True)
class GateFinding:
    """One line of the report: `what` of `model`, compared `against` the baseline or the card."""

    model: str
    what: str
    against: str
    status: Status
    evidence: str


@dataclass(frozen=True)
class Evidence:
    """A difference (better is positive) with its unadjusted p-value, not yet judged."""

    model: str
    what: str
    against: str
    difference: float
    p: float
    text: str


def judge(evidence: Sequence[Evidence], level: float = LEVEL) -> list[GateFinding]:
    """Return findings in the given order; a difference counts if its Holm-adjusted p is below `level`. Evidence
    without p (an undefined number) is unchecked."""
    adjusted = iter(holm([item.p for item in evidence if not math.isnan(item.p)]))
    return [_finding(item, math.nan if math.isnan(item.p) else next(adjusted), level) for item in evidence]


def _finding(item: Evidence, p: float, level: float) -> GateFinding:
    return GateFinding(
        item.model, item.what, item.against, _status(item.difference, p, level), f"{item.text}, p {p:.2g}"
    )


def _status(difference: float, p: float, level: float) -> Status:
    if math.isnan(p):
        return Status.UNCHECKED
    if p >= level:
        return Status.UNCHANGED
    return Status.REGRESSED if difference < 0 else Status.IMPROVED


def paired_evidence(model: str, accepted: AcceptedCell, measured: LoadedCell) -> Evidence | GateFinding:
    """Compare the measured records with the accepted ones, image by image, with McNemar's exact test. Returns a
    `GateFinding` (unchecked) if their protocols differ or records are missing."""
    condition, against = f"{accepted.suite} {accepted.protocol.condition}", "baseline"
    if accepted.protocol != measured.cell.protocol:
        why = f"{differing(accepted.protocol, measured.cell.protocol)}; next: bench check --update --model {model}"
        return GateFinding(model, condition, against, Status.UNCHECKED, why)
    if measured.problems:
        return GateFinding(model, condition, against, Status.UNCHECKED, measured.problems[0])
    if records_hash(measured.records) == accepted.records:
        return Evidence(model, condition, against, 0.0, 1.0, _share(accepted, measured.records) + ", same records")
    found = compare(measured.records, accepted.frame(measured.records))
    points, low, high = (decimal(100 * each, "+.2f") for each in (found.difference, found.low, found.high))
    text = (
        f"{_share(accepted, measured.records)}: {points} points [{low}, {high}], n {found.n}, "
        f"{found.only_b} lost, {found.only_a} won"
    )
    return Evidence(model, condition, against, found.difference, found.p, text)


def _share(accepted: AcceptedCell, records: pd.DataFrame) -> str:
    scored = records[records["scored"]]
    right = int((scored["prediction"] == scored["label"]).sum())
    return f"{_percent(accepted.correct, accepted.scored)} -> {_percent(right, len(scored))}"


def _percent(part: int, whole: int) -> str:
    return f"{decimal(100 * part / whole, '.2f')} %" if whole else "none scored"


def interval_p(value: float, low: float, high: float, reference: float) -> float:
    """Return the two-sided p of `reference` from a 95 % interval, by the normal curve of its side of the interval."""
    side = (high - value) if reference > value else (value - low)
    if math.isnan(side) or math.isnan(reference):
        return math.nan
    if reference == value:
        return 1.0
    return math.erfc(abs(reference - value) / side * Z / math.sqrt(2)) if side > 0 else 0.0
