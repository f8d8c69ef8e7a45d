"""Figures of smoothness and margins, of one or several models: histograms, accuracy against eps, loss planes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.diagnostics.metrics import LARGEST, norm_of, of_right
from bench.diagnostics.plane import Plane
from bench.diagnostics.smoothness import COLUMNS
from bench.reports.diagnosis.read import Diagnosis

TITLES = dict(zip(COLUMNS, (
    "input gradient, L1", "input gradient, L2", "local Lipschitz (logits, L1 / Linf)", "local linearity error",
    "gradient cosine nearby", "curvature |Hv|",
), strict=True))  # fmt: skip


BINS = 24
"""Of histograms; all models of a figure share them."""


def records_of(diagnosis: Diagnosis, suite: str) -> pd.DataFrame | None:
    """The records of a suite of one condition, if it was measured."""
    cells = list(diagnosis.cells.get(suite, {}).values())
    return cells[0].records if cells else None


def smoothness_figure(diagnoses: Mapping[str, Diagnosis]) -> Figure:
    """Histograms over the images that each model has right."""
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    for axes, column in zip(figure.subplots(2, 3).flat, COLUMNS, strict=True):
        found = {m: of_right(f, column) for m, d in diagnoses.items() if (f := records_of(d, "smoothness")) is not None}
        log = column != "gradient_cosine"
        shown = np.concatenate([v[v > 0] if log else v for v in found.values()])
        bins = _bins(shown, log)
        for model, own in found.items():
            axes.hist(own, bins=bins, histtype="step", lw=1.5, label=f"{model}: median {np.median(own):.3g}")
        if log:
            axes.set_xscale("log")
        axes.set_title(TITLES[column], fontsize=10)
        axes.legend(fontsize=6)
    return figure


def _bins(shown: np.ndarray, log: bool) -> np.ndarray:
    low, high = np.quantile(shown, [0.005, 0.995]) if len(shown) else (0.1, 1.0)
    high = max(high, low * 1.01 if low > 0 else low + 0.01)
    return np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)


def margin_figure(diagnoses: Mapping[str, Diagnosis]) -> Figure:
    """Minimum-norm distances, logit margins, and the share of images that no smaller perturbation than eps changes."""
    cells = {m: next(iter(d.cells["margin"].items())) for m, d in diagnoses.items() if d.cells.get("margin")}
    norm = norm_of(next(iter(cells.values()))[0])
    scale, unit = (255, "Linf distance (/255)") if norm == "linf" else (1, "L2 distance")
    reach = np.linspace(0, scale * LARGEST[norm], BINS + 1)
    largest = max(of_right(cell.records, "margin").max(initial=1e-3) for _, cell in cells.values())
    edges = np.linspace(0, largest, BINS + 1)
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for model, (_, cell) in cells.items():
        frame = cell.records
        own = scale * of_right(frame, "distance")
        left.hist(own.clip(max=scale * LARGEST[norm]), bins=reach, histtype="step", lw=1.5, label=model)
        middle.hist(of_right(frame, "margin"), bins=edges, histtype="step", lw=1.5)
        every = scale * frame.loc[frame["scored"], "distance"].to_numpy()
        eps = np.linspace(0, scale * LARGEST[norm], 200)
        right.plot(eps, [100 * (every > e).mean() for e in eps], label=model)
    left.set_xlabel(unit)
    left.legend(fontsize=7)
    middle.set_xlabel("logit margin")
    right.set_xlabel(f"eps ({unit})")
    right.set_ylabel("accuracy (%), from above")
    for axes, title in ((left, "smallest perturbations"), (middle, "output margins"), (right, "accuracy against eps")):
        axes.set_title(title, fontsize=10)
    return figure


def plane_figure(planes: Mapping[str, Sequence[Plane]]) -> Figure:
    """Loss along the gradient's sign (across) and random signs (up), a row a model; the decision's edge in white."""
    columns = max(map(len, planes.values()))
    figure = Figure(figsize=(2.5 * columns + 1, 2.5 * len(planes) + 0.4), layout="constrained")
    grid = figure.subplots(len(planes), columns, squeeze=False)
    for line, (model, own) in zip(grid, planes.items(), strict=True):
        for axes, plane in zip(line, own, strict=False):
            reach = 255 * plane.steps[-1]
            drawn = axes.contourf(255 * plane.steps, 255 * plane.steps, np.log10(plane.loss.T + 1e-4), levels=20)
            if plane.right.any() and not plane.right.all():
                axes.contour(255 * plane.steps, 255 * plane.steps, plane.right.T.astype(float), levels=[0.5],
                             colors="white")  # fmt: skip
            axes.plot(0, 0, "r+")
            axes.set_title(plane.image_id, fontsize=7)
            axes.set_xticks([-reach, 0, reach])
            axes.set_yticks([-reach, 0, reach])
            axes.tick_params(labelsize=6)
            figure.colorbar(drawn, ax=axes, shrink=0.7).ax.tick_params(labelsize=5)
        line[0].set_ylabel(model, fontsize=8)
    figure.suptitle("log10 loss; steps in /255 along the gradient's sign (across) and random signs (up)", fontsize=9)
    return figure
