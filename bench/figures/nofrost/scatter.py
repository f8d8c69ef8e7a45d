"""Clean against robust accuracy."""

from typing import TYPE_CHECKING

from bench.figures.base import FigureSpec, figure
from bench.figures.facts import Facts
from bench.figures.measured import Numbers
from bench.figures.nofrost.rivals import NEEDS, rivals, training
from bench.figures.series import Series, beside, of_column
from bench.published.papers import NOFROST, find, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("NoFrost", "adversarial training", "standard training")


@figure(
    "nofrost-clean-robust",
    "Clean against robust accuracy",
    "2207.01156, abstract",
    "--model tiny_std,tiny_at,tiny_mix,tiny_gn,tiny_nofrost,tiny_trades --suite tiny-pgd",
    NEEDS,
)
def clean_robust(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean against robust accuracy, one point per model."""
    names = rivals(spec, data)
    series, about = [], ""
    looks: dict[str, int] = {}
    if both := data.both(sorted(names)):
        about = both.about
        facts = {f.name: f for f in data.models}
        series = [
            of_column(name, both.clean, both.robust, [name], index=_look(facts[name], looks)) for name in both.names
        ]
    rows = find(NOFROST, "robust_accuracy")
    at = {row.card: row.number.value for row in find(NOFROST, "accuracy")}
    shown = []
    for card in dict.fromkeys(row.card for row in rows):
        released, mine = Facts.of(card), [row.number.value for row in rows if row.card == card]
        norm = "" if released.traits.normalisation == "none" else f" with {released.traits.normalisation} norm"
        shown.append(Series(f"{training(released)}{norm}", [at[card]] * len(mine), mine, index=_look(released, {})))
    text = f"{about}Published: ResNet-50 on ImageNet, PGD-20, eps 8/255 ({sources(rows)})."
    return beside(spec, data, series, shown, "clean accuracy (%)", "robust accuracy (%)", text)


def _look(facts: Facts, looks: dict[str, int]) -> int:
    """Return the colour index: that of the kind of training for its first model, the next free one for others."""
    kind = training(facts)
    plain = facts.traits.augmentation in ("", "none")
    if plain and kind not in looks:
        looks[kind] = KINDS.index(kind)
        return looks[kind]
    return looks.setdefault(facts.name, len(KINDS) + len(looks))
