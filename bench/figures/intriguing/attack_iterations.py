"""Accuracy against attack iterations for each mixture of training images."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.curves import STEPS, curves, iterations, values
from bench.figures.facts import MIXTURE, groups
from bench.figures.measured import Numbers
from bench.figures.series import Series
from bench.published.papers import FEATURE_DENOISING, find, points, readings, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEASER = "teaser.jpg"
"""Feature Denoising's first figure. Its ResNet-152 is trained like this paper's, on adversarial images alone."""

TEASER_CURVES = {
    "ResNet-101 baseline": "ResNet-101, adversarial images alone",
    "intriguing_resnet152_denoise": "ResNet-152 denoise",
    "Inception-v3 ALP": "Inception-v3 ALP",
}
"""Models of Feature Denoising without a curve in this paper, with their names in the legend."""


@figure(
    "intriguing-attack-iterations",
    "Accuracy against attack iterations",
    "1906.03787; 1812.03411, Figure 1",
    "--model tiny_at,tiny_mix,tiny_mix_alp,tiny_mbn@adv,tiny_gn --suite pgd --eps 8/255 --step-size 1/255 --limit 200 "
    "--reliability 0",
    ("images",),
    STEPS,
)
def attack_iterations(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust accuracy against attack iterations, one curve per training strategy."""
    told = [f for f in data.told(spec.needs) if f.adversarial]
    found = groups(told, *MIXTURE)
    series, text = curves(data, told if data.asked else found[0] if found else [])
    shown, used = [], []
    for name, rows in points(spec.name).items():
        used += rows
        shown.append(Series(f"ResNet-152, {name}", [float(r.x) for r in rows], values(rows), line=True))
    for model, label in TEASER_CURVES.items():
        rows = [r for r in find(FEATURE_DENOISING, "robust_accuracy", source=TEASER) if r.model == model]
        used += rows
        shown.append(Series(label, [float(row.number.steps) for row in rows], values(rows), line=True))
    text += f"Published: PGD, targeted, eps 16/255, ImageNet, {readings(used)} ({sources(used)})."
    return iterations(spec, data, series, shown, text)
