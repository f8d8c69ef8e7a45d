"""One accuracy of several threats: the worst case of each image, and MultiRobustBench's ratios (arXiv 2302.10980)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bench.condition import Condition
from bench.metrics.accuracy import accuracy, correct
from bench.metrics.base import Frames, MissingConditionError
from bench.metrics.estimate import Estimate, mean_estimate, wilson, worst_first

if TYPE_CHECKING:
    import pandas as pd

THREATS = ("linf", "l2", "l1")


def under_norm(frames: Frames, norm: str) -> "pd.DataFrame":
    """The records under the attack in `norm`. Raises `MissingConditionError` where there is not exactly one."""
    found = [frame for name, frame in frames.items() if _norm(name) == norm]
    if len(found) != 1:
        raise MissingConditionError(f"expected one condition under attack in {norm}, found {len(found)}")
    return found[0]


def _norm(name: str) -> str:
    attack = Condition.parse(name).attack
    return attack.norm if attack else ""


def each_threat(frames: Frames) -> "pd.DataFrame":
    """bool [image, threat]: right under each of the three attacks, of the images that were scored under all."""
    import pandas as pd

    return pd.DataFrame({norm: correct(under_norm(frames, norm)) for norm in THREATS}).dropna().astype(bool)


def union_per_image(frames: Frames) -> "pd.Series":
    """Whether each image is right under all three attacks."""
    return each_threat(frames).all(axis=1)


def union_accuracy(frames: Frames) -> Estimate:
    """Share of images that stand against every one of the three attacks."""
    right = union_per_image(frames)
    n, unscored = len(right), len(under_norm(frames, THREATS[0])) - len(right)
    low, high = wilson(int(right.sum()), n)
    return Estimate(float(right.mean()) if n else float("nan"), low, high, n, unscored)


def average_per_image(frames: Frames) -> "pd.Series":
    """The share of the three attacks that each image stands against."""
    return each_threat(frames).mean(axis=1)


def average_accuracy(frames: Frames) -> Estimate:
    """Mean of the accuracies under the three attacks."""
    share = average_per_image(frames)
    return mean_estimate(share.to_numpy(dtype=np.float64), len(under_norm(frames, THREATS[0])) - len(share))


def worst_accuracy(frames: Frames) -> Estimate:
    """The least of the three accuracies: what an attacker gets who has to choose one norm for all images."""
    return min((accuracy(under_norm(frames, norm)) for norm in THREATS), key=worst_first)


def competitiveness(found: Mapping[str, float], best: Mapping[str, float]) -> tuple[float, float]:
    """(average, worst) competitiveness ratio in percent: each accuracy over the best that is known under that attack.

    found, best: accuracies by attack, clean accuracy among them, in one unit. MultiRobustBench's CR_ind-avg and
    CR_ind-worst (arXiv 2302.10980, section 3.3; `metrics.py` of its code), where `best` is that of a model trained for
    this attack alone. Raises `MissingConditionError` where `best` lacks an attack.
    """
    if missing := set(found) - set(best):
        raise MissingConditionError(f"no best known accuracy under {', '.join(sorted(missing))}")
    ratios = [100 * value / best[attack] for attack, value in found.items()]
    return sum(ratios) / len(ratios), min(ratios)
