"""Errors of the zoo; each message names the thing, what was expected, what was found and what to do next."""

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """Base of the zoo's errors; `exit_code` is the exit code of `bench`."""

    exit_code = 2


class UnknownModelError(ZooError):
    """No card, and no `torchvision:`, `timm:`, `robustbench:` or `file:` model, has this name."""


class CardError(ZooError):
    """A card has an unknown key, lacks a field, or holds a value outside its range."""


class WeightsError(ZooError):
    """Weights are missing, not verified, or do not fit the network."""

    exit_code = 5


class OutputError(ZooError):
    """A network returned something other than logits."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``(did you mean a, b?)`` with up to three known names nearest to `name`, or an empty text."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.55)
    return f" (did you mean {', '.join(near)}?)" if near else ""
