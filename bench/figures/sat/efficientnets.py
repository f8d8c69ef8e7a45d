"""Accuracy of adversarially trained EfficientNets."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.measured import Numbers
from bench.figures.sat.activations import NEEDS, adversarial_alone, of_row
from bench.figures.series import Series, beside, of_column
from bench.published.papers import SAT, find, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "sat-efficientnets",
    "Adversarially trained EfficientNets",
    "2006.14536",
    "--model sat_efficientnet_b0,sat_efficientnet_b1 --suite pgd --protocol published",
    (*NEEDS, "family"),
)
def efficientnets(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean and robust accuracy of adversarially trained EfficientNets against their multiply-adds."""
    models = [f for f in data.told(spec.needs) if adversarial_alone(f) and f.traits.family == "efficientnet"]
    series, texts = [], []
    for label, column in (
        ("clean", data.clean([f.name for f in models])),
        ("under attack", data.robust([f.name for f in models])),
    ):
        kept = [f for f in models if column and f.name in column.numbers and f.flops]
        if column and kept:
            kept.sort(key=lambda f: f.flops or 0)
            names = [f.name for f in kept]
            x = [(f.flops or 0) / 1e9 for f in kept]
            series.append(of_column(label, x, column, names, names=names, line=len(names) > 1))
            texts.append(column.about())
    if data.measured_only and not series:
        raise spec.missing(data)  # before counting the published networks, which takes half a minute
    shown, used = [], []
    for label, rows in (
        ("clean", find(SAT, "accuracy", source='README.md table "SAT EfficientNet"')),
        ("under attack, PGD-200", find(SAT, "robust_accuracy", steps=200, source="abstract")),
    ):
        those = [row for row in rows if of_row(row).traits.family == "efficientnet"]
        those.sort(key=lambda row: of_row(row).flops or 0)
        used += those
        x, y = [(of_row(row).flops or 0) / 1e9 for row in those], [row.number.value for row in those]
        shown.append(Series(label, x, y, line=len(those) > 1))
    measured = f"Measured: {'; '.join(texts)}. " if texts else ""
    text = f"{measured}Published: EfficientNet-B0 to L1, ImageNet, eps 4/255 ({sources(used)})."
    figure = beside(spec, data, series, shown, "multiply-adds (G)", "accuracy (%)", text)
    for axes in figure.axes:
        if axes.get_lines():
            axes.set_xscale("log")
    return figure
