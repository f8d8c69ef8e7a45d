"""Images saved by `--until`: in a simulation of 50,000 images, and on the embedded models' predictions.

    python benchmarks/until_savings.py                                  # simulation, a minute
    python benchmarks/until_savings.py --models tiny_at,tiny_std,tiny_mix --suite tiny-pgd

Images come in random order, and the rule is checked after each unit of 100, as in a run. "fixed" is the fixed sample
size for the same half width (normal approximation, without replacement), a lower bound for rules checked at any time.
"""

import argparse
import math
import tempfile
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

import bench
from bench.metrics.estimate import Z
from bench.metrics.sequential import StopRule

IMAGES, UNIT = 50_000, 100
ACCURACIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def images_needed(outcomes: NDArray[np.float64], rule: StopRule) -> int:
    """Return the number of images after which the rule stops a run over `outcomes` in order."""
    total = len(outcomes)
    low, high = 0, -(-total // UNIT)  # a met rule stays met, so that bisection finds the first unit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rule.met(outcomes[: middle * UNIT], total) else (middle, high)
    return min(high * UNIT, total)


def fixed(accuracy: float, points: Fraction, total: int) -> int:
    """Return the fixed sample size."""
    free = Z**2 * accuracy * (1 - accuracy) / (float(points) / 100) ** 2
    return math.ceil(free / (1 + free / total))


def row(name: str, outcomes: NDArray[np.float64], points: list[Fraction], draws: int) -> str:
    """Return a row of the table, the mean over `draws` random orders."""
    total, accuracy = len(outcomes), float(outcomes.mean())
    cells = []
    for each in points:
        orders = (np.random.default_rng(seed).permutation(outcomes) for seed in range(draws))
        mean = float(np.mean([images_needed(order, StopRule(each)) for order in orders]))
        least = fixed(accuracy, each, total)
        cells.append(f"{mean:,.0f} | {total / mean:.1f}x | {least:,} ({total / least:.1f}x)")
    return f"| {name} | " + " | ".join(cells) + " |"


def measured(model: str, suite: str) -> NDArray[np.float64]:
    """Return the correctness (1 or 0) of every image under the suite's strongest condition, in order."""
    with tempfile.TemporaryDirectory() as folder:
        bench.run(model, suite, out=folder, quiet=True, reliability=0)
        records = bench.records(folder)
    last = records[records["condition"] == records["condition"].iloc[-1]]
    return (last["prediction"] == last["label"]).to_numpy(dtype=np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", default="1,2")
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--models", default="")
    parser.add_argument("--suite", default="tiny-pgd")
    options = parser.parse_args()
    points = [Fraction(each) for each in options.points.split(",")]
    print("| accuracy | " + " | ".join(f"images for {float(p):g} points | saved | fixed" for p in points) + " |")
    print("|---|" + "---:|---:|---:|" * len(points))
    if not options.models:
        for accuracy in ACCURACIES:
            outcomes = (np.arange(IMAGES) < round(accuracy * IMAGES)).astype(np.float64)
            print(row(f"{accuracy:.0%}", outcomes, points, options.draws), flush=True)
    for model in filter(None, options.models.split(",")):
        outcomes = measured(model, options.suite)
        print(row(f"{model}, {options.suite}, {outcomes.mean():.1%}", outcomes, points, options.draws), flush=True)


if __name__ == "__main__":
    main()
