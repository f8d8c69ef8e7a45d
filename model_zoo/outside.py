"""Models of other zoos, and of the user's own file, by a name with a prefix; each becomes a card made on the spot.

``torchvision:resnet50``, ``timm:convnext_tiny.fb_in1k``, ``robustbench:Salman2020Do_R50``, ``file:net.py:make``.
Options follow as in an address, ``torchvision:resnet50?weights=IMAGENET1K_V1``; commas within a value may be
written as colons where a comma separates models.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast
from urllib.parse import parse_qsl

from model_zoo.card import ModelCard
from model_zoo.errors import UnknownModelError, suggestion

CardMaker = Callable[["OutsideName"], ModelCard]


@dataclass(frozen=True)
class OutsideName:
    """The parts of ``prefix:name?key=value&...``."""

    prefix: str
    name: str
    options: Mapping[str, str]

    def check_options(self, *allowed: str) -> None:
        """Raise `UnknownModelError` for an option that is not in `allowed`."""
        for key in self.options:
            if key not in allowed:
                known = f"{self.prefix}: takes {', '.join(allowed)}" if allowed else f"{self.prefix}: takes none"
                raise UnknownModelError(f"unknown option {key!r}{suggestion(key, allowed)}; {known}")

    def number(self, key: str, default: int) -> int:
        """Return the option `key` as a whole number."""
        value = self.options.get(key, str(default))
        if not value.isdecimal():
            raise UnknownModelError(f"{self.prefix}: option {key} must be a whole number, found {value!r}")
        return int(value)

    def triple(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the option `key` as three numbers, one per colour channel."""
        value = self.options.get(key)
        if value is None:
            return default
        try:
            red, green, blue = (float(v) for v in re.split("[,:]", value))
        except ValueError:
            raise UnknownModelError(f"{self.prefix}: option {key} must be three numbers, found {value!r}") from None
        return red, green, blue


def parse_name(name: str) -> OutsideName:
    """Split ``prefix:name?options``. Raises `UnknownModelError` for an option that is given twice."""
    prefix, _, rest = name.partition(":")
    base, _, query = rest.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    if twice := [key for key, count in Counter(key for key, _ in options).items() if count > 1]:
        raise UnknownModelError(f"{name}: option {twice[0]} is given twice; give it once")
    return OutsideName(prefix, base, dict(options))


def outside_card(name: str) -> ModelCard:
    """Return the card of a model outside this zoo. Raises `UnknownModelError` for an unknown name or option."""
    asked = parse_name(name)
    return cast(ModelCard, import_module(f"model_zoo.standard.from_{asked.prefix}").card(asked))
