"""Table of the papers' claims: the claim, the measurement, and the verdict from its interval."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from bench.datasets import tiny
from bench.diagnosis.edge_figures import records_of
from bench.diagnosis.findings import mixture_shares
from bench.diagnosis.matched import matched_difference, verdict
from bench.diagnosis.read import Diagnosis
from bench.diagnostics.adapt import buffers, reestimated
from bench.diagnostics.branches import branch_differences, branch_parameters
from bench.diagnostics.columns import cross_column
from bench.diagnostics.points import active, find_points
from bench.engine.batches import to_images
from bench.metrics.estimate import Estimate
from bench.metrics.paired import compare
from bench.rounding import decimal, with_interval
from model_zoo.model import Model

TRAINING_PICTURES = 2_000
BATCH = 64
"""Training images for re-estimated statistics, and their batch size."""


class DiagnosticClaim(NamedTuple):
    """One row of the table."""

    claim: str
    measured: str
    says: str


def claims(found: Mapping[str, Diagnosis], models: Mapping[str, Model]) -> pd.DataFrame:
    """Return every claim that can be tested on the given models."""
    lines = [*_two_domains(found, models), *_consistency(found), *_nofrost(found)]
    return pd.DataFrame(lines, columns=["claim", "measured", "verdict"])


def _two_domains(found: Mapping[str, Diagnosis], models: Mapping[str, Model]) -> Iterator[DiagnosticClaim]:
    for name in ("tiny_mbn@adv", "tiny_advprop@adv"):
        diagnosis = found[name]
        label = next(x for x in diagnosis.moments if x == "adversarial via adv")
        share = mixture_shares(diagnosis, label)
        yield DiagnosticClaim(
            f"`{name}`: clean and adversarial images are two domains (1906.03787, 1911.09665)",
            f"between-domain share of a channel's variance: mean {decimal(100 * share.mean(), '.2f')} %, largest "
            f"{decimal(100 * share.max(), '.2f')} % in `{share.idxmax()}`",
            "no threshold is published",
        )
        yield _which_half(name, diagnosis, label)
        table = branch_differences(branch_parameters(models[name]), "clean", "adv").groupby("part")["distance"].mean()
        statistics, affine = table[["mean", "sigma"]].mean(), table[["gamma", "beta"]].mean()
        yield DiagnosticClaim(
            f"`{name}`: branches differ in affine parameters more than in statistics (2403.19150)",
            f"relative L2 distance {decimal(affine, '.2f')} against {decimal(statistics, '.2f')}",
            "agrees" if affine > statistics else "disagrees",
        )


def _which_half(name: str, diagnosis: Diagnosis, label: str) -> DiagnosticClaim:
    frame, columns = diagnosis.records("batchnorm")[label], {}
    for half, pair in (("whole", ("adv", "adv")), ("statistics", ("clean", "adv")), ("affine", ("adv", "clean"))):
        columns[half] = frame.assign(prediction=frame[cross_column(*pair)])
    lost = {half: compare(columns["whole"], columns[half]).difference for half in ("statistics", "affine")}
    apart = compare(columns["statistics"], columns["affine"])
    difference = Estimate(apart.difference, apart.low, apart.high, apart.n)
    return DiagnosticClaim(
        f"`{name}`: the affine parameters matter, not the statistics (2403.19150)",
        f"with the clean branch's affine parameters robust accuracy falls by {decimal(100 * lost['affine'])} points, "
        f"with its statistics by {decimal(100 * lost['statistics'])} (difference {_points(difference)}, n {apart.n})",
        verdict(difference),
    )


def _consistency(found: Mapping[str, Diagnosis]) -> Iterator[DiagnosticClaim]:
    for name in ("tiny_mix", "tiny_mbn@adv"):
        records = found[name].records("batchnorm")
        label = "adversarial via adv" if "@" in name else "adversarial"
        frame = records[label]
        pair = compare(frame.assign(prediction=frame["prediction_batch64"]), frame)
        difference = Estimate(pair.difference, pair.low, pair.high, pair.n)
        yield DiagnosticClaim(
            f"`{name}`: batch norm differs between training and test, which reduces robustness (1906.03787)",
            f"batch statistics (64) instead of running ones change accuracy under attack by "
            f"{_points(difference)}, n {pair.n}",
            verdict(difference),
        )


def _nofrost(found: Mapping[str, Diagnosis]) -> Iterator[DiagnosticClaim]:
    wanted = (
        ("smoothness", "gradient_l2", False),
        ("smoothness", "lipschitz", False),
        ("smoothness", "linearity_error", False),
        ("smoothness", "gradient_cosine", True),
        ("smoothness", "curvature", False),
        ("margin", "distance", True),
        ("margin", "margin", True),
    )
    for suite, column, higher in wanted:
        one, other = (records_of(found[name], suite) for name in ("tiny_nofrost", "tiny_mix"))
        if one is None or other is None:
            continue
        difference, medians = matched_difference(one, other, column), [f[column].median() for f in (one, other)]
        word = "larger" if higher else "smaller"
        yield DiagnosticClaim(
            f"NoFrost against one batch norm: {word} {column.replace('_', ' ')} (2207.01156)",
            f"medians {decimal(medians[0], '.3g')} and {decimal(medians[1], '.3g')} (all images); on {difference.n} "
            "images that both classify correctly "
            f"{with_interval(difference.value, difference.low, difference.high, '+.3g')}",
            verdict(difference, higher),
        )


def _points(estimate: Estimate) -> str:
    return f"{with_interval(100 * estimate.value, 100 * estimate.low, 100 * estimate.high, '+.1f')} points"


def training_table(models: Mapping[str, Model]) -> pd.DataFrame:
    """Compare statistics re-estimated from clean training images with the stored ones: median and largest |mean shift|
    over channels, in standard deviations, and median ratio of variances.

    Stored statistics are a moving average over the last few dozen batches, during which weights still changed. Up to
    this noise, the two agree for a branch trained on clean images alone, and not for one trained on a mixture.
    """
    pictures = to_images(tiny.generate("train", TRAINING_PICTURES).images)
    rows = []
    for name, model in models.items():
        fresh, shifts, ratios = reestimated(model, torch.split(pictures, BATCH)), [], []
        for point in find_points(model):
            old, new = buffers(active(point.module)), buffers(active(fresh.get_submodule(point.name)))
            if old and new:
                shifts.append(((new.mean - old.mean) / (old.variance + 1e-5).sqrt()).abs())
                ratios.append(new.variance / old.variance)
        shift, ratio = torch.cat(shifts).numpy(), torch.cat(ratios).numpy()
        spread = {"median shift": np.median(shift), "largest shift": shift.max(), "variance ratio": np.median(ratio)}
        rows.append({"model": name, "images": len(pictures), **{key: float(x) for key, x in spread.items()}})
    return pd.DataFrame(rows)
