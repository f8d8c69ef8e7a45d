"""Readers of option values from a command line, a file or Python.

A reader raises `ValueError` with the expected and the found value; `Option` adds the option's name.
"""

import math
import numbers
import operator
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from model_zoo.errors import suggestion

Scalar = str | int | bool | None
"""Type of an option's value in JSON, TOML and on a command line."""

Number = str | float | Fraction
"""A number as users give it: `"4/255"`, `0.03`, `8 / 255`, `Fraction(4, 255)`."""


@dataclass(frozen=True)
class Shard:
    """Every `count`-th unit from unit `index` (1-based), for machines that share nothing."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def text(value: Any) -> str:
    """Read a name, path or address; not empty."""
    if isinstance(value, str | os.PathLike):
        found = os.fspath(value)
        if isinstance(found, str) and found.strip():
            return found
    raise ValueError(f"expected a name or path, found {value!r}")


def device(value: Any) -> str:
    """Read the name of a torch device, or the device itself."""
    return text(str(value) if hasattr(value, "type") and hasattr(value, "index") else value)


def flag(value: Any) -> bool:
    """Read a truth value, also as the text stored in older results folders."""
    if isinstance(value, bool):
        return value
    if value in ("True", "true", "False", "false"):
        return str(value).lower() == "true"
    raise ValueError(f"expected true or false, found {value!r}")


def whole(least: int) -> Callable[[Any], int]:
    """Make a reader of whole numbers of at least `least`."""

    def read(value: Any) -> int:
        try:
            found = int(value) if isinstance(value, str) else operator.index(value)
        except (TypeError, ValueError):
            found = least - 1
        if isinstance(value, bool) or found < least:
            raise ValueError(f"expected a whole number of at least {least}, found {value}")
        return found

    return read


def choice(*known: str) -> Callable[[Any], str]:
    """Make a reader of one of the words `known`."""

    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"expected {' or '.join(known)}, found {value!r}{suggestion(str(value), known)}")
        return str(value)

    return read


def shard(value: Any) -> Shard:
    """Read a shard such as `2/3`."""
    try:
        index, count = (int(part) for part in str(value).split("/"))
    except ValueError:
        raise ValueError(f"expected i/n such as 2/3, found {value!r}") from None
    if not 1 <= index <= count:
        raise ValueError(f"i must be in 1..n, found {value!r}")
    return Shard(index, count)


def fraction(value: Any) -> Fraction:
    """Read `"4/255"`, `"0.5/255"`, `"0.03"` or a number as an exact fraction of at least 0.

    A float becomes the nearest fraction with a small denominator (8 / 255 becomes 8/255); if that is not near, as for
    1e-6, the decimal as it is written.
    """
    try:
        found = _fraction(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f"{value!r} is not a number: write a fraction such as 4/255, or a decimal") from None
    if found < 0:
        raise ValueError(f"expected a number of at least 0, in units of [0, 1], found {value}")
    return found


def _fraction(value: Any) -> Fraction:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str):
        above, *below = (Fraction(part.strip()) for part in value.split("/"))
        return above / below.pop() if len(below) == 1 else Fraction(value.strip())
    if isinstance(value, numbers.Rational):
        return Fraction(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    exact = Fraction(number)
    near = exact.limit_denominator(100_000 if getattr(value, "itemsize", 8) >= 8 else 10_000)
    return near if abs(near - exact) <= abs(exact) / 1000 else Fraction(str(number))


def listed(text: str | None) -> list[str]:
    """Split `a,b` at commas, without blanks around the items and without empty items."""
    return [item for item in map(str.strip, (text or "").split(",")) if item]


def model_names(value: str | None) -> list[str]:
    """Split names at commas; a comma before a number belongs to the options of a `file:` name (`?mean=0.5,0.5,0.5`)."""
    return [name for name in map(str.strip, re.split(r",(?![-.\d])", value or "")) if name]


def pair(value: Any) -> tuple[str, ...]:
    """Read two model names, separated by a comma or in a sequence."""
    found = model_names(value) if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not found:
        return ()
    if len(set(found)) != 2 or len(found) != 2 or not all(isinstance(name, str) and name for name in found):
        raise ValueError(f"expected the names of two models such as tiny_std,tiny_at, found {value!r}")
    return tuple(found)


def above_zero(value: Any) -> Fraction:
    """Read a fraction above 0."""
    found = fraction(value)
    if not found:
        raise ValueError("expected a number above 0, found 0")
    return found


def fractions(value: Any) -> tuple[Fraction, ...]:
    """Read numbers, separated by commas or in a sequence, without duplicates."""
    if isinstance(value, str):
        items: Iterable[Any] = value.split(",") if value else ()
    elif isinstance(value, numbers.Number) or getattr(value, "ndim", 1) == 0:
        items = (value,)
    else:
        items = value if isinstance(value, Iterable) else (value,)
    return tuple(dict.fromkeys(fraction(item) for item in items))


def write(value: Any) -> Scalar:
    """Return a value in the form of a file or command line, which its reader reads back."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, tuple):
        return ",".join(str(write(item)) for item in value)
    return _spell(value) if isinstance(value, Fraction) else str(value)


def _spell(value: Fraction) -> str:
    """Return `0.5` or `1.6/255` if that is exact, else `2/7`."""
    for number, unit in ((value, ""), (value * 255, "/255")):
        if Fraction(f"{float(number):g}") == number:
            return f"{float(number):g}{unit}"
    return str(value)
