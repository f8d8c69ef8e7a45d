"""Rounding of shown numbers: one rule for tables, figures and pages."""

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal

_SPEC = re.compile(r"\+?\.(\d+)([fg])")
_EXACT = 12
"""Significant digits before rounding. They remove the error of binary floats: 100 * 0.5075 is 50.74999999999999."""


def decimal(value: float, spec: str = ".1f") -> str:
    """Return `value` in the format `spec` (`.1f`, `+.2f`, `.3g`), with halves rounded away from zero.

    Python's own formatting rounds the binary float, so that equal numbers can show different digits.

    >>> decimal(100 * 0.5075), decimal(50.75), decimal(20.25), decimal(-0.125, "+.2f"), decimal(0.0012345, ".4g")
    ('50.8', '50.8', '20.3', '-0.13', '0.001235')
    """
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise ValueError(f"expected a format such as .1f, +.2f or .3g, found {spec!r}")
    if not math.isfinite(value):
        return format(float(value), spec)
    exact, digits = Decimal(f"{float(value):.{_EXACT}g}"), int(found[1])
    if found[2] == "f":
        places = digits + max(exact.adjusted(), 0) + 2
        rounded = exact.quantize(Decimal(1).scaleb(-digits), context=Context(places, ROUND_HALF_UP))
    else:
        rounded = Context(max(digits, 1), ROUND_HALF_UP).create_decimal(exact)
    return format(float(rounded), spec)


def with_interval(value: float, low: float, high: float, spec: str = ".1f") -> str:
    """Return `value [low, high]`, each as by `decimal`."""
    return f"{decimal(value, spec)} [{decimal(low, spec)}, {decimal(high, spec)}]"
