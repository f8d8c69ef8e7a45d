"""The order of trials: which trial of which image runs next.

An image passes through an attack's trials in order and is done with the first that breaks it. If the batch has room and
no other image waits, later trials of images that survived the first one run in parallel. The first trial in order that
breaks the image counts: later ones are dropped, earlier ones run to their end.
"""

from collections import deque


class TrialSchedule:
    """The schedule of `images` images through `trials` trials.

    limit [images]: the first trial known to break each image, else `trials`; given_up: running trials that no longer
    count.
    """

    def __init__(self, images: int, trials: int) -> None:
        self.trials = trials
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
            if self._next[index] < self.limit[index]:
                started.append(self._start(index))
                self._ahead.append(index)
        return started

    def _start(self, index: int) -> tuple[int, int]:
        trial = self._next[index]
        self._next[index] += 1
        self._running[index].add(trial)
        return index, trial

    def end(self, index: int, trial: int, broken: bool) -> bool:
        """Record that a trial has ended; return False if it no longer counts because an earlier one broke the image."""
        if trial not in self._running[index]:
            return False
        self._running[index].remove(trial)
        if broken:
            self.limit[index] = trial
            earlier = {other for other in self._running[index] if other < trial}
            self.given_up |= earlier != self._running[index]
            self._running[index] = earlier
        elif self._next[index] < self.limit[index]:
            if trial == 0:
                self._ahead.append(index)
            if not self._running[index]:
                self._resting.append(index)
        return True
