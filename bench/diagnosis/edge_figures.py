"""Figures of smoothness and margins of one or more models: distributions, accuracy against eps, loss planes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.diagnosis.read import Diagnosis
from bench.diagnostics.columns import COLUMNS
from bench.diagnostics.metrics import LARGEST, norm_of, of_right
from bench.diagnostics.plane import Plane

TITLES = dict(
    zip(
        COLUMNS,
        (
            "input gradient, L1",
            "input gradient, L2",
            "local Lipschitz (logits, L1 / Linf)",
            "local linearity error",
            "gradient cosine nearby",
            "curvature |Hv|",
        ),
        strict=True,
    )
)


BINS = 24
"""Number of histogram bins, shared by all models of a figure."""

LOG_ABOVE = 30.0
"""Ratio of largest to smallest value above which the axis is logarithmic."""


def records_of(diagnosis: Diagnosis, suite: str) -> pd.DataFrame | None:
    """Return the records of a suite with one condition; None if not measured."""
    cells = list(diagnosis.cells.get(suite, {}).values())
    return cells[0].records if cells else None


def smoothness_figure(diagnoses: Mapping[str, Diagnosis]) -> Figure:
    """Draw cumulative distributions over the images that each model classifies correctly, with a dot at the median.

    Histograms of more than two models would overlap.
    """
    figure = Figure(figsize=(11, 6), layout="constrained")
    panels = figure.subplots(2, 3, sharey=True)
    for axes, column in zip(panels.flat, COLUMNS, strict=True):
        for model, diagnosis in diagnoses.items():
            if (records := records_of(diagnosis, "smoothness")) is not None:
                own = np.sort(of_right(records, column))
                (line,) = axes.plot(own, 100 * np.arange(1, len(own) + 1) / max(len(own), 1), lw=1.5, label=model)
                axes.plot(np.median(own) if len(own) else np.nan, 50, "o", ms=4, color=line.get_color())
        drawn = np.concatenate([line.get_xdata() for line in axes.lines] or [np.ones(1)])
        if column != "gradient_cosine" and np.nanmax(drawn) > LOG_ABOVE * max(np.nanmin(drawn), 1e-12):
            axes.set_xscale("log")
        axes.set_title(TITLES[column], fontsize=10)
    for axes in panels[:, 0]:
        axes.set_ylabel("images below (%)")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6) or 1, fontsize=8)
    return figure


def margin_figure(diagnoses: Mapping[str, Diagnosis]) -> Figure:
    """Draw minimum-norm distances, logit margins, and the share of images whose distance exceeds eps."""
    cells = {m: next(iter(d.cells["margin"].items())) for m, d in diagnoses.items() if d.cells.get("margin")}
    norm = norm_of(next(iter(cells.values()))[0])
    scale, unit = (255, "Linf distance (/255)") if norm == "linf" else (1, "L2 distance")
    reach = np.linspace(0, scale * LARGEST[norm], BINS + 1)
    largest = max(of_right(cell.records, "margin").max(initial=1e-3) for _, cell in cells.values())
    edges = np.linspace(0, largest, BINS + 1)
    figure = Figure(figsize=(12, 4), layout="constrained")
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
    left.set_ylabel("images")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(cells), 6), fontsize=8)
    middle.set_xlabel("logit margin")
    right.set_xlabel(f"eps ({unit})")
    right.set_ylabel("accuracy (%), from above")
    for axes, title in ((left, "smallest perturbations"), (middle, "output margins"), (right, "accuracy against eps")):
        axes.set_title(title, fontsize=10)
    return figure


def plane_figure(planes: Mapping[str, Sequence[Plane]]) -> Figure:
    """Draw the loss along the gradient's sign (x) and random signs (y), a row per model; decision boundary in white."""
    columns = max(map(len, planes.values()))
    figure = Figure(figsize=(2.5 * columns + 1, 2.5 * len(planes) + 0.4), layout="constrained")
    grid = figure.subplots(len(planes), columns, squeeze=False)
    for line, (model, own) in zip(grid, planes.items(), strict=True):
        for axes, plane in zip(line, own, strict=False):
            reach = 255 * plane.steps[-1]
            drawn = axes.contourf(255 * plane.steps, 255 * plane.steps, np.log10(plane.loss.T + 1e-4), levels=20)
            if plane.right.any() and not plane.right.all():
                axes.contour(
                    255 * plane.steps, 255 * plane.steps, plane.right.T.astype(float), levels=[0.5], colors="white"
                )
            axes.plot(0, 0, "r+")
            axes.set_title(plane.image_id, fontsize=7)
            axes.set_xticks([-reach, 0, reach])
            axes.set_yticks([-reach, 0, reach])
            axes.tick_params(labelsize=6)
            figure.colorbar(drawn, ax=axes, shrink=0.7).ax.tick_params(labelsize=5)
        line[0].set_ylabel(model, fontsize=8)
    figure.suptitle("log10 loss; steps in /255 along the gradient's sign (across) and random signs (up)", fontsize=9)
    return figure
