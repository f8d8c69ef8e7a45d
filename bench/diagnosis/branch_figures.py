"""Figures of networks with one batch norm per domain: stored statistics of the branches, and the cross table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.diagnosis.read import Diagnosis
from bench.diagnostics.branches import PARTS, branch_differences
from bench.diagnostics.columns import BATCH, cross_column
from bench.metrics.accuracy import accuracy
from bench.rounding import decimal

BARS = 20
"""Number of channels in a bar chart: the first ones, as in the literature; the scatter plot shows all."""


def cross_table(diagnosis: Diagnosis, branches: Sequence[str]) -> pd.DataFrame:
    """Return accuracy by input, statistics and affine parameters."""
    rows = []
    for label, frame in diagnosis.records("batchnorm").items():
        for statistics in (*branches, BATCH):
            for affine in branches:
                column = cross_column(statistics, affine)
                if column in frame and frame[column].notna().any():
                    found = accuracy(frame.assign(prediction=frame[column]))
                    rows.append(
                        {
                            "input": label,
                            "statistics": statistics,
                            "affine": affine,
                            "accuracy": found.value,
                            "low": found.low,
                            "high": found.high,
                            "n": found.n,
                        }
                    )
    return pd.DataFrame(rows)


def cross_figure(table: pd.DataFrame, model: str) -> Figure:
    """Draw one table per input: statistics in rows, affine parameters in columns, accuracy in percent."""
    inputs = list(dict.fromkeys(table["input"]))
    figure = Figure(figsize=(3 * len(inputs) + 1, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(inputs), squeeze=False)[0], inputs, strict=True):
        own = table[table["input"] == name]
        square = own.pivot(index="statistics", columns="affine", values="accuracy")
        square = square.loc[list(dict.fromkeys(own["statistics"])), list(dict.fromkeys(own["affine"]))]
        axes.imshow(100 * square.to_numpy(), vmin=0, vmax=100, cmap="viridis")
        axes.set_xticks(range(square.shape[1]), list(square.columns))
        axes.set_yticks(range(square.shape[0]), list(square.index))
        axes.set_xlabel("affine parameters of")
        for (i, j), value in np.ndenumerate(square.to_numpy()):
            axes.text(j, i, decimal(100 * value), ha="center", va="center", color="white" if value < 0.6 else "black")
        axes.set_title(name, fontsize=10)
    figure.axes[0].set_ylabel("statistics of")
    figure.suptitle(f"{model}: accuracy (%) on the same {int(table['n'].iloc[0])} images")
    return figure


def bars_figure(parameters: pd.DataFrame, branches: Sequence[str]) -> Figure:
    """Draw parameters of the first channels of the first, a middle and the last layer, one bar per branch."""
    layers = list(dict.fromkeys(parameters["layer"]))
    chosen = [layers[i] for i in sorted({0, len(layers) // 2, len(layers) - 1})]
    figure = Figure(figsize=(3.2 * len(PARTS), 2 * len(chosen) + 0.6), layout="constrained")
    grid = figure.subplots(len(chosen), len(PARTS), squeeze=False)
    for line, layer in zip(grid, chosen, strict=True):
        for axes, part in zip(line, PARTS, strict=True):
            for place, branch in enumerate(branches):
                own = parameters[(parameters["layer"] == layer) & (parameters["branch"] == branch)].head(BARS)
                width = 0.8 / len(branches)
                axes.bar(own["channel"] + width * place, own[part], width, label=branch)
            axes.set_title(f"{layer.removeprefix('net.')} {part}", fontsize=8)
            axes.tick_params(labelsize=7)
    grid[0][0].legend(fontsize=7)
    figure.suptitle(f"the first {BARS} channels of three layers")
    return figure


def scatter_figure(parameters: pd.DataFrame, a: str, b: str) -> Figure:
    """Draw all channels of all layers, branch a on x and b on y, with the identity line and Pearson's r."""
    one, other = (parameters[parameters["branch"] == x].reset_index(drop=True) for x in (a, b))
    figure = Figure(figsize=(3.1 * len(PARTS), 3.3), layout="constrained")
    for axes, part in zip(figure.subplots(1, len(PARTS)), PARTS, strict=True):
        x, y = one[part].to_numpy(), other[part].to_numpy()
        axes.scatter(x, y, c=one["depth"], s=6, cmap="viridis")
        low, high = min(x.min(), y.min()), max(x.max(), y.max())
        axes.plot([low, high], [low, high], color="grey", lw=0.8)
        axes.set_title(f"{part}: r = {decimal(np.corrcoef(x, y)[0, 1], '.3f')}" if np.ptp(x) and np.ptp(y) else part)
        axes.set_xlabel(a)
    figure.axes[0].set_ylabel(b)
    figure.suptitle(f"every channel, {a} against {b} (colour: depth)")
    return figure


def difference_figure(parameters: pd.DataFrame, a: str, b: str) -> Figure:
    """Draw relative L2 distance of the branches against depth, for statistics and affine parameters."""
    table = branch_differences(parameters, a, b)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for part, style in zip(PARTS, ("-", "-", "--", "--"), strict=True):
        own = table[table["part"] == part]
        axes.plot(own["depth"], own["distance"], ls=style, marker=".", label=part)
    axes.set_xlabel("depth")
    axes.set_ylabel("|a - b| / ((|a| + |b|) / 2)")
    axes.set_title(f"{a} against {b}: statistics (solid), affine parameters (dashed)")
    axes.legend(fontsize=8)
    return figure
