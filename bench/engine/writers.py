"""Writing beside the work: on a disk or in an object store most of a write is waiting, and waits go side by side."""

import contextlib
import functools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from bench.engine.readers import Readers
from bench.engine.work import Done

WRITERS = 16
"""Writes under way at once, where many workers hand in their units."""

AHEAD = 64
"""Works whose writes may be waited for before the next is taken in: what they gave stays in memory until then."""


class Writers:
    """Does `write` for each work in `count` threads, or at once where that is 0; works come out in order, written."""

    def __init__(self, write: Callable[[Done], None], count: int) -> None:
        self.write = write
        self._threads = Readers(count, "write") if count else None
        self._pending: deque[tuple[Done, Future[None]]] = deque()

    def put(self, done: Done) -> None:
        """Begin to write what a work gave."""
        task = functools.partial(self.write, done)
        if self._threads:
            self._pending.append((done, self._threads.submit(task)))
            return
        task()
        nothing: Future[None] = Future()
        nothing.set_result(None)
        self._pending.append((done, nothing))

    def finished(self, *, every: bool) -> Iterator[Done]:
        """Works that are written, in order; `every` waits for all. Raises what writing raised."""
        while self._pending and (every or self._pending[0][1].done() or len(self._pending) > AHEAD):
            done, future = self._pending[0]
            future.result()
            self._pending.popleft()
            yield done

    def close(self) -> None:
        """Wait for what was begun: a run that is stopped keeps what was finished."""
        for _, future in self._pending:
            with contextlib.suppress(Exception):
                future.result()
