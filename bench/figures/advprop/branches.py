"""Accuracy and stored batch-norm statistics of the main and the auxiliary branch."""

from typing import TYPE_CHECKING

import numpy as np

from bench.figures import style
from bench.figures.advprop.trainings import NEEDS
from bench.figures.base import FigureSpec, figure
from bench.figures.branches import MOST, branched
from bench.figures.measured import Numbers
from bench.figures.series import bars, of_column
from model_zoo.registry import split_branch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "advprop-main-auxiliary",
    "Main against auxiliary batch norm",
    "1911.09665",
    "--model tiny_advprop@clean,tiny_advprop@adv --suite tiny",
    NEEDS,
)
def main_auxiliary(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy of the main and the adversarial branch of each network."""
    told = [f for f in data.told(spec.needs) if f.role in ("clean", "adversarial") and f.branch]
    column = data.clean([f.name for f in told])
    found: dict[str, dict[str, str]] = {}
    for f in told:
        if column and f.name in column.numbers:
            found.setdefault(split_branch(f.name).base, {})[f.role] = f.name
    whole = sorted(base for base, branches in found.items() if len(branches) == 2)
    if column is None or not whole:
        raise spec.missing(data)
    figure, (axes,) = style.panels(1, height=2.4, width=style.TWO_COLUMNS if len(whole) > 4 else style.ONE_COLUMN)
    series = [
        of_column(label, (), column, [found[base][role] for base in whole])
        for label, role in (("main batch norm", "clean"), ("auxiliary batch norm", "adversarial"))
    ]
    bars(axes, whole, series, "clean accuracy (%)", "measured")
    style.legend(axes, columns=2, bbox_to_anchor=(0.5, 1.05), loc="lower center")
    axes.set_title("")
    style.caption(figure, f"{spec.title}. Measured: {column.about()}. Published: no number verified.")
    return figure


@figure(
    "advprop-densities",
    "Densities of the two domains in one channel",
    "1911.09665",
    "--model tiny_advprop@clean --suite tiny",
)
def densities(spec: FigureSpec, data: Numbers) -> "Figure":
    """Normal densities of each branch's stored mean and variance, and their mixture, for channels of a middle layer."""
    twins = branched(data)
    if not twins:
        raise spec.missing(data)
    import torch

    from model_zoo.load import load_model
    from model_zoo.nets.normalisation import branched_layers

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
