"""Batch-norm parameters of the clean and the adversarial branch."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.figures import style
from bench.figures.base import FigureSpec, figure
from bench.figures.branches import MOST, branched
from bench.figures.measured import Numbers
from bench.rounding import decimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STORED = {"running_mean": "mean", "running_var": "variance", "weight": "$\\gamma$", "bias": "$\\beta$"}


@figure(
    "intriguing-branch-statistics",
    "Batch norm of the clean and the adversarial branch",
    "1906.03787",
    "--model tiny_mbn@clean,tiny_advprop@clean --suite tiny",
)
def branch_statistics(spec: FigureSpec, data: Numbers) -> "Figure":
    """Stored statistics and parameters of the first branch against those of the last, one point per channel."""
    twins = branched(data)
    if not twins:
        raise spec.missing(data)
    import torch

    from model_zoo.load import load_model
    from model_zoo.nets.normalisation import branched_layers

    figure, panels = style.panels(len(STORED), height=2.3)
    for index, name in enumerate(twins[:MOST]):
        layers = branched_layers(load_model(name))
        first, last = layers[0].names[0], layers[0].names[-1]
        for axes, (field, label) in zip(panels, STORED.items(), strict=True):
            x, y = (torch.cat([getattr(layer.branches[b], field) for layer in layers]) for b in (first, last))
            _points(axes, x.numpy(), y.numpy(), name, index)
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


def _points(axes: "Axes", x: NDArray[np.float32], y: NDArray[np.float32], name: str, index: int) -> None:
    """Draw one network's channels, with Pearson's r in the legend."""
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=style.marker(index),
        color=style.colour(index),
        markersize=2,
        alpha=0.6,
        label=f"{name}, r {decimal(float(np.corrcoef(x, y)[0, 1]), '.2f')}",
    )
