"""Generator of docs/models.md from the cards: ``python -m tools.catalogue > docs/models.md``."""

from collections.abc import Iterator

from model_zoo.card import ModelCard
from model_zoo.registry import cards

_HEAD = """# Models

Generated from the cards (`python -m tools.catalogue > docs/models.md`). `bench show MODEL` prints a whole card, with
the protocol and source of every number. `torchvision:NAME`, `timm:NAME`, `robustbench:NAME` and `file:PATH.py:FACTORY`
name [other models](../model_zoo/standard/README.md). Notes by subpackage: {rooms}.

Reported numbers were published by others, not measured by this software. They were measured under the protocols in
brackets and are not comparable between rows; `bench run` measures comparable ones.
"""

_COLUMNS = "| model | architecture | size | parameters | weights | licence | reported |\n|---|---|---|---|---|---|---|"


def markdown() -> str:
    """Return the page, one table per method."""
    known = cards().values()
    rooms = sorted({card.room for card in known})
    links = ", ".join(f"[{room}](../model_zoo/{room}/README.md)" for room in rooms)
    sections = (
        _section(method, [c for c in known if c.method == method]) for method in sorted({c.method for c in known})
    )
    return "\n".join([_HEAD.format(rooms=links), *sections])


def _section(method: str, found: list[ModelCard]) -> str:
    rows = "\n".join(_row(card) for card in found)
    return f"## {method} ({len(found)})\n\n{_COLUMNS}\n{rows}\n"


def _row(card: ModelCard) -> str:
    name = f"`{card.name}`" + "".join(f" `@{branch}`" for branch in card.branches)
    millions = f"{card.parameters / 1e6:.2f} M" if card.parameters else ""
    cells = [
        name,
        card.architecture,
        str(card.input.size),
        millions,
        card.weights.availability,
        card.weights.licence,
        "; ".join(_numbers(card)),
    ]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _numbers(card: ModelCard, most: int = 6) -> Iterator[str]:
    """Yield the authors' numbers, or, without any, others' numbers with their sources."""
    own = [n for n in card.reported if n.by == "authors"]
    said: set[tuple[str, str]] = set()
    for number in own or card.reported:
        key = number.metric, number.briefly()
        if key not in said and len(said) < most:
            said.add(key)
            by = "" if own else f", {number.by}"
            yield f"{number.metric.replace('_', ' ')} {number.value:g} {number.unit} ({number.briefly()}{by})"


if __name__ == "__main__":
    print(markdown(), end="")
