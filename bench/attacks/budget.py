"""Budgets: the norm of a perturbation and its size, as the exact fraction that was given."""

from fractions import Fraction
from typing import Literal

from bench.errors import UsageError
from bench.options.values import fraction

Norm = Literal["linf", "l2", "l1"]
NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")


def parse_eps(text: str | float | Fraction, what: str = "eps") -> Fraction:
    """Read `"4/255"`, `"0.5/255"`, `"0.03"` or a number as an exact fraction, in units of images in [0, 1].

    A float becomes the nearest fraction with a denominator of at most 100,000 (4 / 255 becomes 4/255). Raises
    `UsageError` for text that is not a number, and for a negative number.
    """
    try:
        return fraction(text)
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None


def check_budget(norm: str, eps: Fraction) -> Norm:
    """Return `norm` if it is known and `eps` is valid for it; else raise `UsageError`."""
    if norm not in NORMS:
        raise UsageError(f"norm must be linf, l2 or l1, found {norm!r}")
    if norm == "linf" and eps >= 1:
        raise UsageError(f"eps {float(eps):g} is outside [0, 1): eps is in units of [0,1]: write {float(eps):g}/255")
    return norm


USUAL: dict[Norm, tuple[Fraction, Fraction]] = {
    "linf": (Fraction(0), Fraction(1, 4)),
    "l2": (Fraction(1, 10), Fraction(100)),
    "l1": (Fraction(2), Fraction(10_000)),
}
"""Range of budgets, in units of [0, 1], in which papers attack images of any size in each norm."""


def odd_budget(norm: Norm, eps: Fraction) -> str:
    """Return a note about a budget that is usual in another norm; empty if it is not."""
    low, high = USUAL[norm]
    if not eps or low <= eps <= high:
        return ""
    others = [other for other in NORMS if other != norm and USUAL[other][0] <= eps <= USUAL[other][1]]
    return (
        f"eps {float(eps):.3g} is {'little' if eps < low else 'much'} in {norm}: is it meant in {' or '.join(others)}?"
    )
