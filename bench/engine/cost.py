"""What units cost on many workers: a model of three numbers; docs/scaling.md says which of them are measured."""

from dataclasses import dataclass

START_SECONDS = 40.0
"""Seconds from the command to the first unit of a worker on Ray: Ray itself, a process, torch. Measured: 33 and 51
s."""

HAND_OVER_SECONDS = 0.02
"""Seconds of a worker between two units: the result to the driver, the next unit back. Measured: 0.016 to 0.019 s."""

WRITE_SECONDS = 0.005
"""Seconds of the driver for a unit: it alone writes, sixteen at once. Measured (`benchmarks/writing.py`): 0.0044 s on
the local disk of a busy machine with two cores."""


@dataclass(frozen=True)
class ScalingCost:
    """`units` that take `seconds` of one worker in all, the longest of them `longest`."""

    seconds: float
    units: int
    longest: float

    def wall(self, workers: int) -> float:
        """Seconds on `workers` like the one that was measured, at most.

        Handing each idle worker the next unit ends by work / m + (1 - 1/m) longest (R. L. Graham, Bounds on
        multiprocessing timing anomalies, SIAM J. Appl. Math. 17, 1969), unless the driver's writing takes longer.
        """
        work = self.seconds + self.units * HAND_OVER_SECONDS
        spread = work / workers + (1 - 1 / workers) * self.longest
        return START_SECONDS + max(spread, self.units * WRITE_SECONDS)

    def efficiency(self, workers: int) -> float:
        """Share of the workers' time that is spent on units."""
        return self.seconds / (workers * self.wall(workers))
