"""The models that NoFrost is compared with."""

from bench.figures.base import FigureSpec
from bench.figures.facts import Facts, groups
from bench.figures.measured import Numbers

RIVALS = ("images", "share", "normalisation", "augmentation", "epochs", "attacker", "objective", "consistent")
"""Fields in which compared models may differ: training and normalisation, not the network."""

NEEDS = ("images", "normalisation")


def training(facts: Facts) -> str:
    """Return `NoFrost`, `adversarial training`, `standard training` or an empty string; each has one colour in both
    panels."""
    if "adversarial" not in facts.traits.images:
        return "standard training"
    return "NoFrost" if facts.traits.normalisation == "none" else "adversarial training"


def rivals(spec: FigureSpec, data: Numbers) -> list[str]:
    """Return comparable networks with one normalisation for all images: the group that has NoFrost, else the largest;
    all requested models if the user named some."""
    told = [f for f in data.told(spec.needs) if f.separate == 1 and not f.traits.parent]
    if data.asked:
        return [f.name for f in data.told(spec.needs)]
    found = groups(told, *RIVALS)
    found.sort(key=lambda group: (any(training(f) == "NoFrost" for f in group), len(group)), reverse=True)
    return [f.name for f in found[0]] if found else []
