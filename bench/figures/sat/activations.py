"""Keys of smooth adversarial training's figures: adversarially trained networks by activation."""

from collections.abc import Sequence
from dataclasses import replace

from bench.figures.facts import ACTIVATIONS, Facts, groups
from bench.figures.measured import Numbers
from bench.published.table import Published

ORDER = list(ACTIVATIONS)

NEEDS = ("images", "activation")


def adversarial_alone(facts: Facts) -> bool:
    """Return whether the model was trained on adversarial images alone, with one normalisation."""
    return facts.traits.only == "adversarial" and facts.separate == 1


def titled(facts: Facts) -> str:
    """Return the activation as the paper writes it."""
    return ACTIVATIONS.get(facts.traits.activation, facts.traits.activation)


def look_of(name: str) -> int:
    """Return the index of an activation's colour and marker."""
    return ORDER.index(name) if name in ORDER else len(ORDER)


def of_row(row: Published) -> Facts:
    """Return the fields of a published number's model; without a card, only the activation named by its method."""
    if row.card:
        return Facts.of(row.card)
    title = row.method.removeprefix("AT with ")
    names = {shown: name for name, shown in ACTIVATIONS.items()}
    return Facts(
        row.model, traits=replace(Facts("").traits, activation=names.get(title, title), images=("adversarial",))
    )


def comparable(data: Numbers, told: Sequence[Facts], free: str) -> list[Facts]:
    """Return the models with a partner that differs only in `free`, noting the others as passed over; all if the user
    named models or none has a partner."""
    several = [g for g in groups(told, free) if len({str(f.get(free)) for f in g}) > 1]
    if data.asked or not several:
        return list(told)
    found = [f for group in several for f in group]
    data.passed_over += [
        f"{f.name} differs from every other model in more than its {free}; --models draws it"
        for f in told
        if f not in found
    ]
    return found
