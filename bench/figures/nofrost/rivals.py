"""What NoFrost is compared with."""

from bench.figures.base import FigureSpec
from bench.figures.facts import Facts, groups
from bench.figures.measured import Numbers

RIVALS = ("images", "share", "normalisation", "augmentation", "epochs", "attacker", "objective", "consistent")
"""In what NoFrost's rivals may differ from it: how they are trained and normalised, not what network they are."""

NEEDS = ("images", "normalisation")


def training(facts: Facts) -> str:
    """`NoFrost`, `adversarial training`, `standard training`, or empty: these look the same in both panels."""
    if "adversarial" not in facts.traits.images:
        return "standard training"
    return "NoFrost" if facts.traits.normalisation == "none" else "adversarial training"


def rivals(spec: FigureSpec, data: Numbers) -> list[str]:
    """Networks of one kind and one normalisation for all images: those that NoFrost is among, else the largest group;
    all where the user named them."""
    told = [f for f in data.told(spec.needs) if f.separate == 1 and not f.traits.parent]
    if data.asked:
        return [f.name for f in data.told(spec.needs)]
    found = groups(told, *RIVALS)
    found.sort(key=lambda group: (any(training(f) == "NoFrost" for f in group), len(group)), reverse=True)
    return [f.name for f in found[0]] if found else []
