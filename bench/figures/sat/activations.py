"""What smooth adversarial training's figures compare: adversarially trained networks by their activation."""

from collections.abc import Sequence
from dataclasses import replace

from bench.figures.facts import ACTIVATIONS, Facts, groups
from bench.figures.measured import Numbers
from bench.published.table import Published

ORDER = list(ACTIVATIONS)

NEEDS = ("images", "activation")


def adversarial_alone(facts: Facts) -> bool:
    """Whether it is trained on adversarial images alone, through one normalisation."""
    return facts.traits.only == "adversarial" and facts.separate == 1


def titled(facts: Facts) -> str:
    """Its activation as the paper writes it."""
    return ACTIVATIONS.get(facts.traits.activation, facts.traits.activation)


def look_of(name: str) -> int:
    """Colour and marker of an activation."""
    return ORDER.index(name) if name in ORDER else len(ORDER)


def of_row(row: Published) -> Facts:
    """What is known of a published number's model; of one without a card, the activation that its method names."""
    if row.card:
        return Facts.of(row.card)
    title = row.method.removeprefix("AT with ")
    names = {shown: name for name, shown in ACTIVATIONS.items()}
    return Facts(
        row.model, traits=replace(Facts("").traits, activation=names.get(title, title), images=("adversarial",))
    )


def comparable(data: Numbers, told: Sequence[Facts], free: str) -> list[Facts]:
    """The models that have a partner which differs in `free` alone; all where the user named them, or none has one."""
    several = [g for g in groups(told, free) if len({str(f.get(free)) for f in g}) > 1]
    return list(told) if data.asked or not several else [f for group in several for f in group]
