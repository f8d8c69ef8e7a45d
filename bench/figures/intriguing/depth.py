"""Accuracy against depth."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.curves import lines, values
from bench.figures.measured import Numbers
from bench.figures.series import Series, beside
from bench.published.papers import points, readings, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "intriguing-depth",
    "Accuracy against depth",
    "1906.03787",
    "--model tiny_at,tiny_at_deep,tiny_at_deepest,tiny_std,tiny_std_deep,tiny_std_deepest --suite tiny-pgd",
    ("images", "depth"),
)
def depth(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean and robust accuracy against multiply-adds of networks that differ only in depth."""
    told = [f for f in data.told(spec.needs) if f.separate == 1 and f.traits.only]
    data.passed_over += [
        f"{f.name} has no card that its multiply-adds could be counted from" for f in told if not f.flops
    ]
    series, texts = [], []
    for images, label, column in (
        ("adversarial", "adversarial training, under attack", data.robust([f.name for f in told])),
        ("adversarial", "adversarial training, clean", data.clean([f.name for f in told])),
        ("clean", "clean training, clean", data.clean([f.name for f in told])),
    ):
        kind = [f for f in told if f.traits.only == images]
        found = lines(column, kind, ("depth",), lambda f: f.flops and f.flops / 1e9, label)
        series += found
        texts += [column.about()] if found and column else []
    if data.measured_only and not series:
        raise spec.missing(data)  # before counting the published networks, which takes half a minute
    shown, used = [], []
    for name, rows in points(spec.name).items():
        used += rows
        from bench.figures.flops import multiply_adds_of_resnet  # imports torch

        x = [multiply_adds_of_resnet(int(r.x)) / 1e9 for r in rows]
        shown.append(Series(name, x, values(rows), names=[f"ResNet-{r.x}" for r in rows], line=True))
    measured = f"Measured: {'; '.join(dict.fromkeys(texts))}. " if texts else ""
    text = (
        f"{measured}Published: ImageNet, PGD-2000 targeted, eps 16/255, {readings(used)} ({sources(used)}). "
        "Multiply-adds are counted from the networks."
    )
    return beside(spec, data, series, shown, "multiply-adds (G)", "accuracy (%)", text)
