"""Clean against robust accuracy for each activation."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.facts import ACTIVATIONS, differences, groups
from bench.figures.measured import Numbers
from bench.figures.sat.activations import NEEDS, ORDER, adversarial_alone, comparable, look_of, of_row, titled
from bench.figures.series import Series, beside, of_column
from bench.published.papers import SAT, find, readings, sources
from bench.published.table import Published

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "sat-activation-scatter",
    "Clean against robust accuracy of adversarial training by activation",
    "2006.14536, teaser",
    "--model tiny_at,tiny_sat_silu,tiny_sat_gelu,tiny_sat_elu --suite tiny-pgd",
    NEEDS,
)
def activation_scatter(spec: FigureSpec, data: Numbers) -> "Figure":
    """Robust against clean accuracy, one point per model in its activation's colour; other networks are labelled."""
    plain = [f for f in data.told(spec.needs) if adversarial_alone(f) and not f.traits.smooth_gradient]
    models = comparable(data, plain, "activation")
    series, about = [], ""
    both = data.both(f.name for f in models)
    if both and len(both.names) > 1:
        about = both.about
        every = groups([f for f in models if f.name in both.names], "activation")
        for group, told in zip(every, differences(every, "activation"), strict=True):
            for f in sorted(group, key=lambda f: look_of(f.traits.activation)):
                label = ", ".join(filter(None, [titled(f), told]))
                series.append(of_column(label, both.robust, both.clean, [f.name], index=look_of(f.traits.activation)))
    shown, used = [], list[Published]()
    for name in ORDER:
        rows = [
            [r for r in find(SAT, metric, reading="by pixel") if of_row(r).traits.activation == name]
            for metric in ("robust_accuracy", "accuracy")
        ]
        if all(rows):
            used += [row for each in rows for row in each]
            x, y = ([row.number.value for row in each] for each in rows)
            shown.append(Series(ACTIVATIONS[name], x, y, index=look_of(name)))
    text = f"{about}Published: ResNet-50 on ImageNet, PGD-200, eps 4/255, {readings(used)} ({sources(used)})."
    return beside(spec, data, series, shown, "robust accuracy (%)", "clean accuracy (%)", text)
