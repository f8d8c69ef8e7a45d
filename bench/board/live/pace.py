"""How fast parts come, of the last of them alone."""

import itertools
from dataclasses import dataclass, field

WINDOW = 300.0
"""Seconds over which throughput is measured."""

KEPT = 1000
"""Parts of which it is known when they came, at most: the last."""

QUIET = 120.0
"""Seconds without a new part after which a run that is not complete may have stopped, unless parts come as slowly."""

GAPS = 64
"""The last gaps between parts that tell how slowly they come."""


@dataclass
class Pace:
    """The last parts: when each was stored and how many images it has, by time."""

    last: list[tuple[float, int]] = field(default_factory=list)

    def note(self, parts: list[tuple[float, int]]) -> None:
        """Take in parts that were found, in any order."""
        self.last = sorted([*self.last, *parts])[-KEPT:]

    @property
    def rate(self) -> float | None:
        """Images a second over the last minutes; None where that is not known yet."""
        recent = [one for one in self.last if one[0] >= self.last[-1][0] - WINDOW]
        span = recent[-1][0] - recent[0][0] if recent else 0.0
        images = sum(count for when, count in recent if when > recent[0][0])
        return images / span if span > 0 else None

    def quiet(self, now: float) -> float:
        """Seconds since the last part, where they are so many that the run may have stopped; 0 else."""
        since = now - self.last[-1][0] if self.last else 0.0
        return since if since > max(QUIET, 4 * self._usual()) else 0.0

    def _usual(self) -> float:
        """The second longest of the last gaps: parts of several workers come in bursts, and one gap may be a night in
        which nothing ran."""
        times = [when for when, _ in self.last[-GAPS - 1 :]]
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
        return gaps[-2] if len(gaps) > 1 else gaps[0] if gaps else 0.0
