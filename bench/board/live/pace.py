"""Rate at which parts arrive, from the most recent ones."""

import itertools
from dataclasses import dataclass, field

WINDOW = 300.0
"""Seconds over which throughput is measured."""

KEPT = 1000
"""Maximum number of recent parts."""

QUIET = 120.0
"""Seconds without a new part after which an incomplete run may have stopped, unless parts arrive that slowly."""

GAPS = 64
"""Number of recent gaps between parts."""


@dataclass
class Pace:
    """The recent parts: when each was stored and its number of images, by time."""

    last: list[tuple[float, int]] = field(default_factory=list)

    def note(self, parts: list[tuple[float, int]]) -> None:
        """Add parts, in any order."""
        self.last = sorted([*self.last, *parts])[-KEPT:]

    @property
    def rate(self) -> float | None:
        """Return images per second over the last minutes; None if not known yet."""
        recent = [one for one in self.last if one[0] >= self.last[-1][0] - WINDOW]
        span = recent[-1][0] - recent[0][0] if recent else 0.0
        images = sum(count for when, count in recent if when > recent[0][0])
        return images / span if span > 0 else None

    def quiet(self, now: float) -> float:
        """Return the seconds since the last part if the run may have stopped, else 0."""
        since = now - self.last[-1][0] if self.last else 0.0
        return since if since > max(QUIET, 4 * self._usual()) else 0.0

    def _usual(self) -> float:
        """Return the second longest recent gap: parts of several workers arrive in bursts, and one gap may be a
        night without a run."""
        times = [when for when, _ in self.last[-GAPS - 1 :]]
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
        return gaps[-2] if len(gaps) > 1 else gaps[0] if gaps else 0.0
