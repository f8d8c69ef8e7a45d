"""Error consistency: whether two models err on the same images more often than their accuracies explain (Geirhos et
al. 2020, arXiv 2006.16736)."""

import math
from dataclasses import dataclass

import pandas as pd

from bench.metrics.accuracy import correct


@dataclass(frozen=True)
class ErrorConsistency:
    """Cohen's kappa of being right on the same n images, with the observed and the expected share of agreement.

    kappa is 0 where models agree as independent ones of their accuracies would, 1 where always.
    """

    kappa: float
    observed: float
    expected: float
    n: int


def error_consistency(a: pd.DataFrame, b: pd.DataFrame) -> ErrorConsistency:
    """Compare two frames of records on the images that both scored, as bethgelab/model-vs-human's `ErrorConsistency`.

    expected = p_a p_b + (1 - p_a)(1 - p_b); kappa = (observed - expected) / (1 - expected), and 1 where observed is 1.
    """
    table = pd.DataFrame({"a": correct(a), "b": correct(b)}).dropna().astype(bool)
    n = len(table)
    if not n:
        return ErrorConsistency(math.nan, math.nan, math.nan, 0)
    p_a, p_b = float(table["a"].mean()), float(table["b"].mean())
    observed, expected = float((table["a"] == table["b"]).mean()), p_a * p_b + (1 - p_a) * (1 - p_b)
    kappa = 1.0 if observed == 1.0 else (observed - expected) / (1 - expected)
    return ErrorConsistency(kappa, observed, expected, n)
