"""Robust accuracy against the share of clean training images."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.curves import about, lines, values
from bench.figures.measured import Numbers
from bench.figures.series import Series, beside
from bench.published.papers import points, readings, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "intriguing-clean-share",
    "Robust accuracy against the share of clean training images",
    "1906.03787, Figure 1",
    "--model tiny_at,tiny_mix_20,tiny_mix_40,tiny_mix_60,tiny_mix_80,tiny_mix --suite tiny-pgd",
    ("images", "normalisation"),
)
def clean_share(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against the share of clean images; one line per set of models that differ only in that share."""
    free = ("images", "share")
    told = [f for f in data.told(spec.needs) if f.share is not None and f.separate == 1]
    plain = [f for f in told if f.traits.normalisation == "batch" and "augmented" not in f.traits.images]
    column = data.robust([f.name for f in plain])
    series = lines(column, plain, free, lambda f: f.share, "one batch norm")
    shown = [
        Series(f"{name}, PGD-2000 targeted, eps 16/255", [float(r.x) for r in rows], values(rows), line=True)
        for name, rows in points(spec.name).items()
    ]
    rows = [row for each in points(spec.name).values() for row in each]
    text = f"{about(column, series)}Published: ImageNet, {readings(rows)} ({sources(rows)})."
    figure = beside(spec, data, series, shown, "clean images (% of the adversarial ones)", "robust accuracy (%)", text)
    for axes in figure.axes:
        axes.set_xlim(-8, 108)
    return figure
