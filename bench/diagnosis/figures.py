"""Figures of one model variant's normalisation: curves over layers, moments, batch statistics, adaptation."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.diagnosis.read import QUANTITIES, Diagnosis, layer_curves
from bench.diagnostics.columns import BATCHES, PRIORS, SAMPLES, adapted_column
from bench.diagnostics.metrics import DEAD
from bench.diagnostics.table import values
from bench.metrics.accuracy import accuracy
from bench.suites.diagnostics import ADAPTED

STATISTICS = ("", *(f"_batch{n}" for n in BATCHES), "_reestimated")
MOST_LAYERS = 30
"""Largest number of layers whose names are written on the axis."""


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour per label: black for clean, reds for adversarial, other colours for corruptions and domains."""
    reds, others = (
        iter(("tab:red", "darkorange", "firebrick")),
        iter(("tab:blue", "tab:green", "tab:purple", "tab:brown", "tab:cyan", "tab:olive", "tab:pink") * 3),
    )
    return {x: "black" if x == "clean" else next(reds) if x.startswith("adv") else next(others) for x in labels}


def shown_labels(diagnosis: Diagnosis) -> list[str]:
    """Return the labels of the drawn conditions: all but corruptions with adaptation only."""
    from bench.corruptions import NAMES

    present = list(diagnosis.moments)
    corruptions = [x for x in present if x in NAMES]
    few = corruptions if len(corruptions) <= len(ADAPTED) else list(ADAPTED)
    return [x for x in present if x not in NAMES or x in few]


def layer_figure(diagnosis: Diagnosis) -> Figure:
    """Draw each quantity against depth: the median over channels, with the 10-90 % band for clean and adversarial."""
    labels = shown_labels(diagnosis)
    tint, rows = colours(labels), diagnosis.channels[diagnosis.channels["label"].isin(labels)]
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    for axes, (quantity, title) in zip(figure.subplots(2, 2, sharex=True).flat, QUANTITIES.items(), strict=True):
        for label, curve in layer_curves(rows, quantity):
            banded = label == "clean" or label.startswith("adv")
            axes.plot(curve.index, curve["median"], color=tint[label], label=label, lw=2 if banded else 1, marker=".")
            if banded:
                axes.fill_between(curve.index, curve["low"], curve["high"], color=tint[label], alpha=0.12, lw=0)
        axes.set_title(title)
        if quantity == "kl":
            axes.set_yscale("symlog", linthresh=1e-3)
    against = "what the layers store" if diagnosis.stores else "clean images (nothing is stored)"
    figure.suptitle(
        f"{diagnosis.model}: channels against {against}; median over channels, band 10-90 %, "
        f"{diagnosis.images} images, eval mode"
    )
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    for axes in figure.axes[2:]:
        name_layers(axes, diagnosis.moments["clean"])
    return figure


def name_layers(axes: Axes, frame: pd.DataFrame) -> None:
    """Use depth as the x axis, with layer names if they fit."""
    layers = frame.drop_duplicates("depth")[["depth", "layer"]]
    axes.set_xlabel("depth")
    if len(layers) <= MOST_LAYERS:
        names = [name.removeprefix("net.").removeprefix("trunk.") for name in layers["layer"]]
        axes.set_xticks(layers["depth"].to_list(), names, rotation=60, ha="right", fontsize=7)


def propagation_figure(diagnoses: Mapping[str, Diagnosis]) -> Figure:
    """Draw signal propagation on clean images (Brock et al., arXiv 2101.08692, Figure 1): mean squared channel mean and
    mean channel variance against depth, for networks with and without normalisation."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for model, diagnosis in diagnoses.items():
        frame = diagnosis.moments["clean"]
        by_depth = frame.assign(square=frame["mean"] ** 2).groupby("depth")[["square", "variance"]].mean()
        share = np.linspace(0, 1, len(by_depth)) if len(by_depth) > 1 else [0.0]
        for axes, column in ((left, "square"), (right, "variance")):
            axes.plot(share, by_depth[column], marker=".", label=model)
    left.set_title("mean of squared channel means")
    right.set_title("mean channel variance")
    for axes in (left, right):
        axes.set_yscale("log")
        axes.set_xlabel("relative depth")
    right.legend(fontsize=8)
    return figure


def consistency_figure(diagnosis: Diagnosis) -> Figure | None:
    """Draw accuracy with running, batch and re-estimated statistics; None for a network without stored statistics."""
    records = {k: f for k, f in diagnosis.records("batchnorm").items() if f"prediction{STATISTICS[1]}" in f}
    records = {k: f for k, f in records.items() if f[f"prediction{STATISTICS[1]}"].notna().any()}
    if not records:
        return None
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes, tint = figure.subplots(), colours(list(records))
    for place, (label, frame) in enumerate(records.items()):
        found = [accuracy(frame.assign(prediction=frame[f"prediction{s}"])) for s in STATISTICS]
        x = np.arange(len(STATISTICS)) + 0.08 * (place - (len(records) - 1) / 2)
        y = np.array([e.value for e in found])
        spread = np.array([[e.value - e.low for e in found], [e.high - e.value for e in found]]).clip(min=0)
        axes.errorbar(x, 100 * y, yerr=100 * spread, fmt="o", capsize=3, color=tint[label], label=label)
    axes.set_xticks(range(len(STATISTICS)), ["running", *(f"batch {n}" for n in BATCHES), "re-estimated\n(clean)"])
    axes.set_ylabel("accuracy (%)")
    axes.set_title(f"{diagnosis.model}: statistics at test time, the same images (95 % intervals)")
    axes.legend(fontsize=8)
    return figure


def adaptation_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """Return accuracy by corruption, prior N and n (0: stored statistics), for n up to the number of images."""
    rows = []
    for label, frame in diagnosis.records("batchnorm").items():
        first = adapted_column(SAMPLES[0], PRIORS[0])
        if first not in frame or not frame[first].notna().any():
            continue
        rows.append({"corruption": label, "prior": np.nan, "n": 0, "accuracy": accuracy(frame).value})
        for prior in PRIORS:
            for n in (n for n in SAMPLES if n <= len(frame) or n == min(s for s in SAMPLES if s >= len(frame))):
                found = accuracy(frame.assign(prediction=frame[adapted_column(n, prior)]))
                rows.append({"corruption": label, "prior": prior, "n": min(n, len(frame)), "accuracy": found.value})
    return pd.DataFrame(rows)


def adaptation_figure(diagnosis: Diagnosis) -> Figure | None:
    """Draw accuracy against the number of adaptation images n, one line per prior N; dashed: stored statistics."""
    table = adaptation_table(diagnosis)
    if table.empty:
        return None
    names = list(dict.fromkeys(table["corruption"]))
    figure = Figure(figsize=(3.2 * len(names) + 1, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        own = table[table["corruption"] == name]
        axes.axhline(100 * own.loc[own["n"] == 0, "accuracy"].item(), color="black", ls="--", label="stored")
        for prior in PRIORS:
            line = own[own["prior"] == prior]
            axes.plot(line["n"], 100 * line["accuracy"], marker="o", label=f"N = {prior}")
        axes.set_xscale("log", base=2)
        axes.set_title(name.replace("_", " "))
        axes.set_xlabel("adaptation images n")
    figure.axes[0].set_ylabel("accuracy (%)")
    figure.axes[-1].legend(fontsize=8)
    figure.suptitle(f"{diagnosis.model}: N/(N+n) stored + n/(N+n) batch statistics, severity 3")
    return figure


def dead_channels(diagnosis: Diagnosis) -> pd.DataFrame:
    """Return the channels whose stored or observed clean variance is below `DEAD`, or whose gamma is near zero."""
    frame = diagnosis.moments["clean"]
    dead = (values(frame["variance"]) < DEAD) | (values(frame["stored_variance"]) < DEAD)
    dead |= np.abs(values(frame["gamma"])) < DEAD
    return frame.loc[dead, ["layer", "channel", "stored_variance", "variance", "gamma"]]
