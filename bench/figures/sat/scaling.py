"""Clean and robust accuracy of networks of growing depth, width and input size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.facts import GROWTH, Facts, differences, groups
from bench.figures.measured import Numbers
from bench.figures.sat.activations import NEEDS, adversarial_alone
from bench.figures.series import Series, beside, of_column
from bench.published.papers import SAT, find, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = {"depth": "deeper", "width": "wider", "size": "larger images"}
"""Field that grows while all others stay equal -> its name in the legend."""


@figure(
    "sat-scaling",
    "Clean and robust accuracy as networks grow",
    "2006.14536",
    "--model sat_resnet50,sat_resnet101,sat_resnet152 --suite pgd --protocol published",
    NEEDS,
)
def scaling(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean against robust accuracy: a line for networks that grow in one field, a point for growth in several."""
    models = [f for f in data.told(spec.needs) if adversarial_alone(f) and not f.traits.smooth_gradient]
    series, about = [], ""
    if both := data.both(f.name for f in models):
        about = both.about
        every = groups([f for f in models if f.name in both.names], *GROWTH)
        every = [group for group in every if len(group) > 1] or every
        for group, told in zip(every, differences(every, *GROWTH), strict=True):
            names = [f.name for f in sorted(group, key=lambda f: f.flops or f.parameters)]
            label = told or "one training"
            series.append(of_column(label, both.clean, both.robust, names, names=names, line=len(names) > 1))
    rows = find(SAT, "robust_accuracy", steps=50, source="README.md")
    x = {row.card: row.number.value for row in find(SAT, "accuracy", source="README.md")}
    y = {row.card: row.number.value for row in rows}
    shown = [
        Series(label, [x[m] for m in grown], [y[m] for m in grown], line=len(grown) > 1)
        for label, grown in grown_ways([Facts.of(card) for card in y]).items()
    ]
    text = f"{about}Published: SILU, PGD-50, eps 4/255, ImageNet ({sources(rows)})."
    return beside(spec, data, series, shown, "clean accuracy (%)", "robust accuracy (%)", text)


def grown_ways(released: Sequence[Facts]) -> dict[str, list[str]]:
    """Return the released SILU networks by the field that grows from the 50-layer one; ResNeXt counts as wider."""
    smooth = [f for f in released if f.traits.activation == "silu"]
    least = {field: min(f.get(field) for f in smooth) for field in SCALES}
    found: dict[str, list[Facts]] = {}
    for f in smooth:
        larger = [field for field in SCALES if f.get(field) > least[field]]
        for field in larger or SCALES:
            if len(larger) < 2:
                found.setdefault(SCALES[field], []).append(f)
        if len(larger) > 1:
            found.setdefault("all three" if len(larger) == len(SCALES) else " and ".join(larger), []).append(f)
    return {
        f"{way} ({', '.join(_size_of(f, way) for f in grown)})": [f.name for f in grown]
        for way, each in found.items()
        for grown in [sorted(each, key=lambda f: f.flops or 0)]
    }


def _size_of(f: Facts, way: str) -> str:
    told = {"deeper": f"{f.traits.depth}", "wider": f"x{f.traits.width:g}", "larger images": f"{f.size} px"}
    return told.get(way, f"{f.traits.depth}, x{f.traits.width:g}, {f.size} px")
