"""Findings of a diagnosis: sentences with numbers, and the table or figure that shows them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.diagnosis.figures import adaptation_table, dead_channels
from bench.diagnosis.read import Diagnosis, layer_curves
from bench.diagnostics.branches import branch_differences
from bench.diagnostics.columns import BATCHES, COLUMNS
from bench.diagnostics.distances import between_share
from bench.diagnostics.metrics import LARGEST, accuracy_at, area, median_estimate, norm_of, of_right
from bench.diagnostics.table import values
from bench.metrics.accuracy import accuracy
from bench.metrics.base import MissingConditionError
from bench.rounding import decimal, with_interval


class DiagnosticFinding(NamedTuple):
    """One sentence, and the name of the table or figure with its numbers."""

    text: str
    source: str


def findings(diagnosis: Diagnosis, cross: pd.DataFrame, parameters: pd.DataFrame) -> list[DiagnosticFinding]:
    """Return all findings of the variant; `cross` and `parameters` are empty for a network without branches."""
    return [
        *_dead(diagnosis),
        *_shifts(diagnosis),
        *_mixture(diagnosis),
        *_consistency(diagnosis),
        *_branches(parameters),
        *_cross(cross),
        *_adaptation(diagnosis),
        *_smoothness(diagnosis),
        *_margin(diagnosis),
    ]


def _dead(diagnosis: Diagnosis) -> Iterator[DiagnosticFinding]:
    dead, total = dead_channels(diagnosis), len(diagnosis.moments["clean"])
    worst = f", most in {dead['layer'].mode()[0]}" if len(dead) else ""
    what = "dead or nearly dead (variance below 1e-5, or gamma near 0)"
    yield DiagnosticFinding(f"{len(dead)} of {total} channels are {what}{worst}.", "table of dead channels")


def _shifts(diagnosis: Diagnosis) -> Iterator[DiagnosticFinding]:
    against, those = ("the stored ones", "stored") if diagnosis.stores else ("those on clean images", "clean")
    for label, curve in layer_curves(diagnosis.channels, "shift"):
        if label != "clean" or diagnosis.stores:
            own = diagnosis.channels[diagnosis.channels["label"] == label]
            worst = curve["median"].idxmax()
            name = own.loc[own["depth"] == worst, "layer"].iloc[0]
            ratio = own["ratio"].median()
            yield DiagnosticFinding(
                f"{label}: channel means differ from {against} by {decimal(own['shift'].abs().median(), '.3f')} "
                f"standard deviations (median), most in {name} ({decimal(curve['median'].max(), '.3f')}); "
                f"variances are {decimal(np.exp(ratio), '.2f')} times the {those} ones (median).",
                "layer curves",
            )


def mixture_shares(diagnosis: Diagnosis, label: str) -> pd.Series:
    """Return the between-domain share of variance of clean and `label` images, mean over channels, by layer."""
    a, b = diagnosis.moments["clean"], diagnosis.moments[label]
    share = between_share(
        values(a["mean"]), values(a["variance"]), values(b["mean"]), values(b["variance"]), values(a["eps"])
    )
    return pd.Series(share, index=a["layer"]).groupby(level=0, sort=False).mean()


def _mixture(diagnosis: Diagnosis) -> Iterator[DiagnosticFinding]:
    for label in (x for x in diagnosis.moments if x.startswith("adv")):
        share = mixture_shares(diagnosis, label)
        yield DiagnosticFinding(
            f"mixture of clean and {label} images: {decimal(100 * share.mean(), '.2f')} % of a channel's variance "
            f"is between the two domains (mean over layers), at most "
            f"{decimal(100 * share.max(), '.2f')} % in {share.idxmax()}.",
            "mixture test",
        )


def _consistency(diagnosis: Diagnosis) -> Iterator[DiagnosticFinding]:
    for label, frame in diagnosis.records("batchnorm").items():
        columns = [f"prediction_batch{n}" for n in BATCHES]
        if columns[0] not in frame or not frame[columns[0]].notna().any():
            continue
        own = accuracy(frame)
        others = [100 * (accuracy(frame.assign(prediction=frame[c])).value - own.value) for c in columns]
        fresh = 100 * (accuracy(frame.assign(prediction=frame["prediction_reestimated"])).value - own.value)
        sizes = ", ".join(f"{decimal(x, '+.1f')} (batches of {n})" for x, n in zip(others, BATCHES, strict=True))
        yield DiagnosticFinding(
            f"{label}: accuracy {_percent(own.value)} with running statistics (n {own.n}); batch statistics change "
            f"it by {sizes} points, statistics re-estimated from clean images by {decimal(fresh, '+.1f')}.",
            "consistency figure",
        )


def _branches(parameters: pd.DataFrame) -> Iterator[DiagnosticFinding]:
    names = list(dict.fromkeys(parameters["branch"])) if len(parameters) else []
    for a, b in ((names[0], other) for other in names[1:]):
        table = branch_differences(parameters, a, b)
        mean = {part: decimal(value, ".2f") for part, value in table.groupby("part")["distance"].mean().items()}
        yield DiagnosticFinding(
            f"{a} against {b}: relative L2 distance {mean['mean']} of means and {mean['sigma']} of standard "
            f"deviations, {mean['gamma']} of gammas and {mean['beta']} of betas (mean over layers).",
            "branch figures",
        )


def _cross(table: pd.DataFrame) -> Iterator[DiagnosticFinding]:
    for name, own in table.groupby("input", sort=False) if len(table) else ():
        cell = {(r["statistics"], r["affine"]): 100 * r["accuracy"] for r in own.to_dict("records")}
        branches = list(dict.fromkeys(own["affine"]))
        for branch in branches:
            others = [b for b in branches if b != branch]
            for other in others:
                whole = cell[branch, branch]
                change = {pair: decimal(accuracy - whole, "+.1f") for pair, accuracy in cell.items()}
                yield DiagnosticFinding(
                    f"{name}, branch {branch} ({decimal(whole)} %): the affine parameters of {other} change its "
                    f"accuracy by {change[branch, other]} points, the statistics of {other} by "
                    f"{change[other, branch]}, all of {other} by {change[other, other]}.",
                    "cross table",
                )


def _adaptation(diagnosis: Diagnosis) -> Iterator[DiagnosticFinding]:
    table = adaptation_table(diagnosis)
    for name, own in table.groupby("corruption", sort=False) if len(table) else ():
        stored = own.loc[own["n"] == 0, "accuracy"].item()
        rest = own[own["n"] > 0]
        best = max(rest.to_dict("records"), key=lambda row: row["accuracy"])
        yield DiagnosticFinding(
            f"{name}: adapting the statistics changes accuracy from {_percent(stored)} to "
            f"{_percent(best['accuracy'])} at best (N = {best['prior']:.0f}, n = {best['n']:.0f}).",
            "adaptation curves",
        )


def _smoothness(diagnosis: Diagnosis) -> Iterator[DiagnosticFinding]:
    for cell in diagnosis.cells.get("smoothness", {}).values():
        try:
            found = {name: median_estimate(of_right(cell.records, name)) for name in COLUMNS}
        except MissingConditionError:
            return
        said = ", ".join(f"{name} {with_interval(e.value, e.low, e.high, '.3g')}" for name, e in found.items())
        yield DiagnosticFinding(
            f"medians over {found[COLUMNS[0]].n} correctly classified images: {said}.", "smoothness figure"
        )


def _margin(diagnosis: Diagnosis) -> Iterator[DiagnosticFinding]:
    for name, cell in diagnosis.cells.get("margin", {}).items():
        norm, frame = norm_of(name), cell.records
        scale, unit = (255, "/255") if norm == "linf" else (1, "")
        try:
            found, edge = median_estimate(of_right(frame, "distance")), median_estimate(of_right(frame, "margin"))
        except MissingConditionError:
            return
        whole = area({name: frame})
        every = frame.loc[frame["scored"], "distance"].to_numpy(dtype=np.float64)
        shares = _at(every, norm)
        yield DiagnosticFinding(
            f"the smallest {norm} perturbation found is {decimal(scale * found.value, '.2f')}{unit} "
            f"[{decimal(scale * found.low, '.2f')}, {decimal(scale * found.high, '.2f')}] (median of {found.n} "
            f"correctly classified images), the logit margin {decimal(edge.value, '.2f')}; area under the accuracy "
            f"curve up to eps {scale * LARGEST[norm]:.0f}{unit}: {_percent(whole.value)} [{_percent(whole.low)}, "
            f"{_percent(whole.high)}]; robust accuracy is at most {shares}.",
            "margin figure",
        )


def _at(distances: np.ndarray, norm: str) -> str:
    budgets: Sequence[float] = (2, 4, 8) if norm == "linf" else (0.5, 1, 3)
    scale, unit = (255, "/255") if norm == "linf" else (1, "")
    return ", ".join(f"{_percent(accuracy_at(distances, b / scale))} at {b}{unit}" for b in budgets)


def _percent(share: float) -> str:
    return f"{decimal(100 * share)} %"
