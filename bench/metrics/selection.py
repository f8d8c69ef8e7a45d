"""Selection of a data set's images: what a cell's `subset` states, with one format and one parse."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.metrics.sequential import StopRule
from bench.metrics.told import Rule, TellRule

_RULE = re.compile(r"(?:^|; )(?=until )")
_FOUND = re.compile(r"(\d+) of (\d+) images(?:, (\d+) of (\d+) classes missing)?")
_SPLIT = re.compile(r"pictures of ImageNet's (\w+) split, not the validation set")
_LIMIT = re.compile(r"limit (\d+) of (\d+) images")


@dataclass(frozen=True)
class Selection:
    """Measured images of a data set. Every field is empty for a complete set in its own order.

    found, complete: images in the user's folder, and in the complete set, if these differ
    missing, classes: classes without images, and classes of the label space; only beside `found`
    split: ImageNet's split (`training`, `test`) that the images come from instead of the validation set
    limit, available: images that `--limit` chose, and images it chose from
    rule: rule that may stop a measurement before its last image; images are then in random order
    other: text in none of these forms, as another version may have written it
    """

    found: int = 0
    complete: int = 0
    missing: int = 0
    classes: int = 0
    split: str = ""
    limit: int = 0
    available: int = 0
    rule: Rule | None = None
    other: str = ""

    def __str__(self) -> str:
        """Return the text in a cell's `subset`; empty for a complete set in its own order."""
        lacking = f", {self.missing} of {self.classes} classes missing" if self.missing else ""
        return "; ".join(
            filter(
                None,
                [
                    f"{self.found} of {self.complete} images{lacking}" if self.complete else "",
                    f"pictures of ImageNet's {self.split} split, not the validation set" if self.split else "",
                    f"limit {self.limit} of {self.available} images" if self.available else "",
                    self.other,
                    str(self.rule or ""),
                ],
            )
        )

    @classmethod
    def parse(cls, text: str) -> "Selection":
        """Read what `str()` wrote; any other text becomes `other`, so that `str()` always returns the same text."""
        return _parsed(text)

    def limited(self, limit: int, available: int) -> "Selection":
        """Return the selection of `limit` of these `available` images, whose number replaces that of the folder."""
        return Selection(split=self.split, limit=limit, available=available, other=self.other)


WHOLE = Selection()
"""Complete set in its own order."""


def rule_of(subset: str) -> Rule | None:
    """Return the rule in a cell's `subset`; None if there is none."""
    return Selection.parse(subset).rule


def part_of(subset: str) -> str:
    """Return what a cell's `subset` states of the images alone; empty for those of the whole set, which a rule may
    have stopped."""
    return str(replace(Selection.parse(subset), rule=None))


def joined(subsets: Iterable[str]) -> str:
    """Return one `subset` for cells of different sets: each different selection once, then each different rule."""
    read = [Selection.parse(text) for text in subsets]
    texts = sorted({str(replace(each, rule=None)) for each in read}) + sorted({str(each.rule or "") for each in read})
    return "; ".join(filter(None, texts))


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Selection:
    start = _RULE.search(text)
    rest, rule = (text[: start.start()], _rule(text[start.end() :])) if start else (text, None)
    rest = rest if rule else text
    read = replace(_fields(rest), rule=rule)
    return read if str(read) == text else Selection(other=rest, rule=rule)


def _rule(text: str) -> Rule | None:
    return StopRule.parse(text) or TellRule.parse(text)


def _fields(text: str) -> Selection:
    """Return the fields of a text without rule."""
    fields: dict[str, int | str] = {}
    other = []
    for piece in text.split("; ") if text else ():
        if match := _FOUND.fullmatch(piece):
            fields |= dict(zip(("found", "complete", "missing", "classes"), _numbers(match), strict=True))
        elif match := _SPLIT.fullmatch(piece):
            fields["split"] = match[1]
        elif match := _LIMIT.fullmatch(piece):
            fields |= dict(zip(("limit", "available"), _numbers(match), strict=True))
        else:
            other.append(piece)
    return Selection(other="; ".join(other), **fields)  # type: ignore[arg-type]


def _numbers(match: re.Match[str]) -> list[int]:
    return [int(number or 0) for number in match.groups()]
