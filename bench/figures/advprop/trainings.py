"""Keys of AdvProp's figures: the kind of training, the EfficientNet's size, the released networks' numbers."""

from bench.figures.facts import Facts
from bench.figures.series import Series
from bench.published.table import Published, published_table

SIZES = tuple(f"B{i}" for i in range(9))

README = "README.md table, tensorflow/tpu"

TRAINING = ("images", "share", "separate", "role")

NEEDS = ("images",)


def kind(facts: Facts) -> str:
    """Return `vanilla` (trained on clean images alone), `AdvProp` (main branch of a network with a separate batch norm
    for adversarial images), or an empty string."""
    if facts.traits.only == "clean" and not facts.traits.parent:
        return "vanilla"
    mixed = {"clean", "adversarial"} <= set(facts.traits.images)
    return "AdvProp" if mixed and facts.separate > 1 and facts.role == "clean" else ""


def efficientnet(facts: Facts) -> str:
    """Return the size (`B0`, ...) of an EfficientNet with a published width and depth; empty for other networks."""
    scales = {"1 50": "B0", "1 70": "B1", "1.1 70": "B2", "1.2 79": "B3", "1.4 97": "B4"}
    scales |= {"1.6 117": "B5", "1.8 135": "B6", "2 164": "B7", "2.2 182": "B8"}
    shape = f"{facts.traits.width:g} {facts.traits.depth}"
    return scales.get(shape, "") if facts.traits.family == "efficientnet" else ""


def released(*kinds: tuple[str, str, str]) -> dict[str, list[Published]]:
    """Return the README's numbers of the released EfficientNets for each (label, kind, augmentation); x is the size."""
    found: dict[str, list[Published]] = {}
    for row in published_table():
        if README not in row.number.source or row.number.metric != "accuracy":
            continue
        facts = Facts.of(row.card) if row.card else Facts(row.model)
        for label, wanted, augmentation in kinds:
            same = (kind(facts), facts.traits.augmentation) == (wanted, augmentation)
            if same and not facts.extra_data and efficientnet(facts):
                found.setdefault(label, []).append(_at(row, efficientnet(facts)))
    return {label: sorted(found[label], key=lambda r: r.x) for label, *_ in kinds if label in found}


def _at(row: Published, x: str) -> Published:
    return Published(row.model, row.number, row.paper, row.method, row.card, row.figure, x)


def by_size(axes_title: str, rows: dict[str, list[Published]]) -> list[Series]:
    """Return lines along B0 to B8, from rows whose `x` is the size."""
    return [
        Series(
            f"{name}{axes_title}", [float(SIZES.index(r.x)) for r in each], [r.number.value for r in each], line=True
        )
        for name, each in rows.items()
    ]
