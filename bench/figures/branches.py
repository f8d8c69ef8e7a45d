"""Figures of what normalisation branches store, from the checkpoints' own weights."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from bench.figures import style
from bench.figures.base import FigureSpec
from bench.figures.facts import Facts
from bench.figures.measured import Numbers
from model_zoo.load import load_model
from model_zoo.nets.normalisation import branched_layers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STORED = {"running_mean": "mean", "running_var": "variance", "weight": "$\\gamma$", "bias": "$\\beta$"}
MOST = 4
"""Networks that share a panel, and channels that have one."""


def branched(data: Numbers) -> list[str]:
    """The networks of two branches or more, without the branch in their names."""
    found: dict[str, Facts] = {f.name.rpartition("@")[0]: f for f in data.models if len(f.branches) > 1}
    return sorted(name for name in found if name)


def draw_branch_statistics(spec: FigureSpec, data: Numbers) -> "Figure":
    """Every channel of every layer: what the first branch stores against what the last does."""
    twins = branched(data)
    if not twins:
        raise spec.missing(data)
    figure, panels = style.panels(len(STORED), height=2.3)
    for index, name in enumerate(twins[:MOST]):
        layers = branched_layers(load_model(name))
        first, last = layers[0].names[0], layers[0].names[-1]
        for axes, (field, label) in zip(panels, STORED.items(), strict=True):
            x, y = (torch.cat([getattr(layer.branches[b], field) for layer in layers]) for b in (first, last))
            r = float(torch.corrcoef(torch.stack([x, y]))[0, 1])
            axes.plot(
                x.numpy(),
                y.numpy(),
                linestyle="none",
                marker=style.marker(index),
                color=style.colour(index),
                markersize=2,
                alpha=0.6,
                label=f"{name}, r {r:.2f}",
            )
            axes.set_title(label)
            axes.set_xlabel(f"{first} branch")
            if field == "running_var":
                axes.set_xscale("log")
                axes.set_yscale("log")
    panels[0].set_ylabel("adversarial branch")
    for axes in panels:
        low, high = max(axes.get_xlim()[0], axes.get_ylim()[0]), min(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([low, high], [low, high], color="black", linewidth=0.6)
        style.legend(axes)
    text = (
        f"{spec.title}: all channels of all layers, from the checkpoints' own weights; r is Pearson's. "
        "`bench run --suite batchnorm` measures what the layers are shown. Published: no number verified."
    )
    style.caption(figure, text)
    return figure


def draw_densities(spec: FigureSpec, data: Numbers) -> "Figure":
    """The normal density that each branch's statistics stand for, and their mixture, of channels of a middle layer."""
    twins = branched(data)
    if not twins:
        raise spec.missing(data)
    layers = branched_layers(load_model(twins[0]))
    layer = layers[len(layers) // 2]
    means, deviations = (
        torch.stack([torch.as_tensor(getattr(layer.branches[b], field)) for b in layer.names]).double()
        for field in ("running_mean", "running_var")
    )
    deviations = deviations.clamp_min(1e-12).sqrt()
    apart = ((means[0] - means[-1]).abs() / deviations.mean(0)).argsort(descending=True)
    chosen = apart[torch.linspace(0, len(apart) - 1, min(MOST, len(apart))).long()].tolist()
    figure, panels = style.panels(len(chosen), height=2.3)
    for axes, channel in zip(panels, chosen, strict=True):
        low = float((means[:, channel] - 4 * deviations[:, channel]).min())
        high = float((means[:, channel] + 4 * deviations[:, channel]).max())
        x = np.linspace(low, high, 200)
        densities = [_normal(x, float(means[b, channel]), float(deviations[b, channel])) for b in range(len(means))]
        for index, (name, density) in enumerate(zip(layer.names, densities, strict=True)):
            axes.plot(x, density, color=style.colour(index), label=f"{name} branch")
        axes.plot(x, np.mean(densities, axis=0), color="black", linestyle="--", label="their mixture")
        axes.set_title(f"channel {channel}")
        axes.set_xlabel("activation")
        axes.set_yticks([])
    style.legend(panels[0])
    style.caption(
        figure,
        f"{spec.title}: {twins[0]}, a middle batch norm; channels from the one whose branches differ most in their "
        "mean to the one where least. Normal densities of the stored mean and variance. Published: no number verified.",
    )
    return figure


def _normal(x: "np.ndarray", mean: float, deviation: float) -> "np.ndarray":
    density: np.ndarray = np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    return density
