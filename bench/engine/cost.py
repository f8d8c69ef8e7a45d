"""Cost model of units on many workers, with three constants; docs/scaling.md says which of them are measured."""

from dataclasses import dataclass

START_SECONDS = 40.0
"""Seconds from the command to the first unit of a Ray worker: Ray, a process, torch. Measured: 33 and 51 s."""

HAND_OVER_SECONDS = 0.02
"""Seconds of a worker between two units: result to the driver, next unit back. Measured: 0.016 to 0.019 s."""

WRITE_SECONDS = 0.005
"""Seconds of the driver per unit, with sixteen writes at once. Measured (`benchmarks/writing.py`): 0.0044 s on the
local disk of a busy machine with two cores."""


@dataclass(frozen=True)
class ScalingCost:
    """`units` that take `seconds` of one worker in total, the longest of them `longest`."""

    seconds: float
    units: int
    longest: float

    def wall(self, workers: int) -> float:
        """Return an upper bound of seconds on `workers` as fast as the measured one.

        Giving each idle worker the next unit ends by work / m + (1 - 1/m) longest (R. L. Graham, Bounds on
        multiprocessing timing anomalies, SIAM J. Appl. Math. 17, 1969), unless the driver's writing takes longer.
        """
        work = self.seconds + self.units * HAND_OVER_SECONDS
        spread = work / workers + (1 - 1 / workers) * self.longest
        return START_SECONDS + max(spread, self.units * WRITE_SECONDS)

    def efficiency(self, workers: int) -> float:
        """Return the share of the workers' time spent on units."""
        return self.seconds / (workers * self.wall(workers))
