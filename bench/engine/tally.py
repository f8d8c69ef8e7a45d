"""Summary of a run: what is done, what is not, why, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.engine.part import Part
from bench.engine.plan import Unit
from bench.engine.work import Done, Failed
from bench.errors import IncompleteError
from bench.text import counted, were

SHOWN = 20
"""Maximum number of failures in the message."""


@dataclass
class Tally:
    """Counts of finished work, failed work, and images that could not be read for a temporary reason.

    planned: what was left out of the plan, and why
    """

    planned: Sequence[str] = ()
    done: int = 0
    given_up: list[Failed] = field(default_factory=list)
    unread: dict[str, list[str]] = field(default_factory=dict)

    def failed(self, failure: Failed) -> None:
        """Count a final failure."""
        self.given_up += [failure] if failure.final else []

    def count(self, done: Done) -> None:
        """Count finished work, and what of it must be repeated."""
        parts = [part for part in done.result if isinstance(part, Part)] if isinstance(done.result, list) else []
        reasons = list(dict.fromkeys(reason for part in parts for reason in part.passing))
        if reasons and isinstance(done.work, Unit):
            self.unread.setdefault(done.work.setup.name, []).extend(reasons)
        else:
            self.done += 1

    def check(self) -> None:
        """Raise `IncompleteError` if anything is not done."""
        if not (self.given_up or self.unread or self.planned):
            return
        lines = [*self.planned, *self._failures(), *self._unread()]
        more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        counts = f"{counted(self.done, 'unit')} done and stored, not done"
        if self.given_up:
            counts = f"{were(len(self.given_up), 'unit')} given up, {self.done} done and stored"
        listed = "\n  ".join([*lines[:SHOWN], *more])
        raise IncompleteError(f"{counts}: {listed}\nnext: fix the cause and rerun; only missing units run")

    def _failures(self) -> list[str]:
        failed = [f"{f.work.name} after {counted(f.attempt, 'attempt')}: {f.reason}" for f in self.given_up]
        return list(dict.fromkeys(failed))

    def _unread(self) -> list[str]:
        return [
            f"{name}: {counted(len(reasons), 'image')} could not be read, perhaps temporarily: {reasons[0]}"
            for name, reasons in self.unread.items()
        ]
