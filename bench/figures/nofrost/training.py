"""Training loss over epochs, and accuracy against the final loss."""

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import Facts
from bench.figures.measured import Numbers
from bench.figures.nofrost.rivals import NEEDS, rivals
from bench.figures.series import LEGEND_ROW
from model_zoo.registry import cards

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "nofrost-training",
    "Training loss over epochs, and what it ends in",
    "no figure of the paper: evidence on the tiny zoo's reversal",
    "--model tiny_mix,tiny_gn,tiny_nofrost,tiny_mix_slow,tiny_nofrost_slow --suite tiny-pgd",
    NEEDS,
)
def training_loss(spec: FigureSpec, data: Numbers) -> "Figure":
    """Training loss over epochs from the cards, all seeds of a training in one colour, and accuracy against the final
    loss."""
    told = {f.name: f for f in data.models if f.name in set(rivals(spec, data)) and f.adversarial}
    logged = {name: f for name, f in told.items() if f.card and f.card.training.get("loss")}
    column = data.robust(list(logged))
    if not logged or column is None:
        raise spec.missing(data)
    rows = -(-len(logged) // 2)
    figure, (left, right) = style.panels(2, height=2.7 + LEGEND_ROW * max(0, rows - 3))
    for index, (name, facts) in enumerate(logged.items()):
        for number, loss in enumerate(seeds_of(facts)):
            epochs = range(1, len(loss) + 1)
            label = name if number == 0 else None
            left.plot(epochs, loss, color=style.colour(index), marker=style.marker(index), markersize=2.5, label=label)
            if number == 0 and name in column.numbers:
                found = column.numbers[name]
                ends = [(found.low, found.high)]
                style.measured(right, [loss[-1]], [found.value], ends, label=name, index=index)
    left.set_xlabel("epoch")
    left.set_ylabel("training loss")
    right.set_xlabel("loss of the last epoch")
    right.set_ylabel("robust accuracy (%)")
    style.legend(left, columns=2)
    text = f"{spec.title}: from the cards' logs, every seed. Measured: {column.about()}. Published: no number verified."
    style.caption(figure, text)
    return figure


def seeds_of(facts: Facts) -> list[list[float]]:
    """Return the losses by epoch of the model's card, then of each card that differs from it only in the seed."""
    own = replace(facts.traits, seed=None, parent="")
    alike = [c for c in cards().values() if replace(c.traits, seed=None, parent="") == own and c.training.get("loss")]
    alike.sort(key=lambda card: (card is not facts.card, card.name))
    return [[float(value) for value in card.training["loss"]] for card in alike]
