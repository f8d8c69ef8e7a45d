"""The order of trials: which trial of which image runs next.

An image passes through an attack's trials in order and is done with the first that breaks it. If the batch has room and
no other image waits, later trials of images that survived the first one run in parallel. The first trial in order that
breaks the image counts: later ones are dropped, earlier ones run to their end.

A trial may depend on whether the first one was misled (`Trial.when`). The first trial of an image always ends before
another begins, so the trials of an image depend on nothing but the image.
"""

from collections import deque
from collections.abc import Sequence
from typing import Literal

When = Literal["always", "led", "misled"]


class TrialSchedule:
    """The schedule of images through trials; `when` has an entry for each trial, `misled` one for each image.

    misled [images]: gradients misled the first trial, or it has not run; limit [images]: the first trial known to break
    each image, else `trials`; given_up: running trials that no longer count.
    """

    def __init__(self, when: Sequence[When], misled: list[bool]) -> None:
        images, trials = len(misled), len(when)
        self.when, self.misled, self.trials = when, misled, trials
        self.limit = [trials] * images
        self.given_up = False
        self._next = [trials] * images
        self._running: list[set[int]] = [set() for _ in range(images)]
        self._resting: deque[int] = deque()
        self._ahead: deque[int] = deque()

    def __bool__(self) -> bool:
        """Return whether images wait that have no running trial."""
        return bool(self._resting)

    def add(self, index: int, trial: int) -> None:
        """Queue image `index` for `trial`, and for later ones until one breaks it."""
        self.limit[index], self._next[index] = self.trials, trial
        self._resting.append(index)

    def take(self, room: int) -> list[tuple[int, int]]:
        """Return up to `room` pairs of an image and the trial to start; waiting images come first."""
        started: list[tuple[int, int]] = []
        while self._resting and len(started) < room:
            started.append(self._start(self._resting.popleft()))
        while self._ahead and len(started) < room:
            index = self._ahead.popleft()
            if self._upcoming(index) < self.limit[index]:
                started.append(self._start(index))
                self._ahead.append(index)
        return started

    def following(self, index: int, trial: int) -> int:
        """Return the first trial from `trial` on that image `index` goes through; `trials` if there is none."""
        skipped: When = "led" if self.misled[index] else "misled"
        return next((t for t in range(trial, self.trials) if self.when[t] != skipped), self.trials)

    def _upcoming(self, index: int) -> int:
        return self.following(index, self._next[index])

    def _start(self, index: int) -> tuple[int, int]:
        trial = self._upcoming(index)
        self._next[index] = trial + 1
        self._running[index].add(trial)
        return index, trial

    def end(self, index: int, trial: int, broken: bool, misled: bool = False) -> bool:
        """Record that a trial has ended; return False if it no longer counts because an earlier one broke the image."""
        if trial not in self._running[index]:
            return False
        self._running[index].remove(trial)
        if trial == 0:
            self.misled[index] = misled
        if broken:
            self.limit[index] = trial
            earlier = {other for other in self._running[index] if other < trial}
            self.given_up |= earlier != self._running[index]
            self._running[index] = earlier
        elif self._upcoming(index) < self.limit[index]:
            if trial == 0:
                self._ahead.append(index)
            if not self._running[index]:
                self._resting.append(index)
        return True
