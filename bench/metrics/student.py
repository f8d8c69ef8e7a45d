"""Student's t distribution without scipy, which takes half a second to import."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 10_000
"""Terms of the continued fraction at most; it needs some root of the degrees of freedom."""

TINY = 1e-300
"""Replaces a zero denominator in Lentz's method."""


def student_p(statistic: NDArray[np.float64], dof: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two-sided p of t statistics with `dof` degrees of freedom, of equal shapes; NaN for NaN, and for less
    than one degree.

    p = I_x(dof / 2, 1 / 2) with x = dof / (dof + t^2): the regularised incomplete beta function (NIST Digital Library
    of Mathematical Functions 8.17) by its continued fraction (8.17.22), from the side on which it converges.
    """
    t, n = np.abs(statistic).astype(np.float64), dof.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        known = ~np.isnan(t) & (n >= 1)
        x = n / (n + t**2)
        far = x < (n / 2 + 1) / (n / 2 + 2.5)
        y = np.where(np.isinf(t), 1.0, t**2 / (n + t**2))
        tail = _beta(n / 2, np.full_like(n, 0.5), x, y, far & known)
        centre = 1 - _beta(np.full_like(n, 0.5), n / 2, y, x, ~far & known)
    return np.asarray(np.where(known, np.where(far, tail, centre), np.nan))


def _beta(a: Any, b: Any, x: Any, y: Any, wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return I_x(a, b), of which y = 1 - x, where it is `wanted`; 0 elsewhere."""
    found = np.zeros(wanted.shape)
    a, b, x, y = (each[wanted] for each in (a, b, x, y))
    if x.size:
        front = _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b) + a * np.log(x) + b * np.log(y)
        found[wanted] = np.where(x > 0, np.exp(front) * _fraction(a, b, x) / a, 0.0)
    return found


def _fraction(a: Any, b: Any, x: Any) -> Any:
    """Return the continued fraction by Lentz's method."""
    c = np.ones_like(x)
    d = 1 / _nonzero(1 - (a + b) * x / (a + 1))
    whole = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 / _nonzero(1 + term * d), _nonzero(1 + term / c)
            whole = whole * d * c
        if (np.abs(d * c - 1) < 1e-13).all():
            break
    return whole


def _nonzero(values: Any) -> Any:
    return np.where(np.abs(values) < TINY, TINY, values)


_log_gamma = np.vectorize(math.lgamma, otypes=[float])
