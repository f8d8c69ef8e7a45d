"""The activation functions and their derivatives."""

from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import ACTIVATIONS
from bench.figures.measured import Numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = ("relu", "silu", "gelu", "softplus", "elu", "smoothrelu", "parametric_softplus")
"""Activations of the paper's first figure."""


@figure("sat-activation-curves", "Activation functions and their derivatives", "2006.14536, Figures 1 and 2")
def activation_curves(spec: FigureSpec, data: Numbers) -> "Figure":  # noqa: ARG001
    """Activation functions f and derivatives f', as built by this package."""
    import torch

    from model_zoo.nets.activations import activation

    figure, (left, right) = style.panels(2, height=2.7)
    for index, name in enumerate(DRAWN):
        x = torch.linspace(-3, 3, 601, requires_grad=True)
        y = activation(name)(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        for axes, values in ((left, y), (right, slope)):
            axes.plot(
                x.detach().numpy(),
                values.detach().numpy(),
                color=style.colour(index),
                label=ACTIVATIONS[name],
                linestyle=("-", "--", "-.", ":")[index % 4],
            )
    for axes, label in ((left, "f(x)"), (right, "f'(x)")):
        axes.set_xlabel("x")
        axes.set_ylabel(label)
    left.set_ylim(-1.1, 3)
    style.legend(left, loc="upper left", bbox_to_anchor=(0.0, 1.02))
    style.caption(
        figure,
        f"{spec.title}, as model_zoo builds them: parametric softplus with alpha 10, SmoothReLU at "
        "its initial beta 400, GELU by its tanh approximation. No measurement.",
    )
    return figure
