"""Writing in parallel with work: on a disk or an object store a write mostly waits, so several run at once."""

import contextlib
import functools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from bench.engine.readers import Readers
from bench.engine.work import Done

WRITERS = 16
"""Maximum number of parallel writes, for many workers."""

AHEAD = 64
"""Maximum number of results waiting to be written, which stay in memory."""


class Writers:
    """Calls `write` for each result in `count` threads, or at once if that is 0; results are returned in order,
    written."""

    def __init__(self, write: Callable[[Done], None], count: int) -> None:
        self.write = write
        self._threads = Readers(count, "write") if count else None
        self._pending: deque[tuple[Done, Future[None]]] = deque()

    def put(self, done: Done) -> None:
        """Start to write a result."""
        task = functools.partial(self.write, done)
        if self._threads:
            self._pending.append((done, self._threads.submit(task)))
            return
        task()
        nothing: Future[None] = Future()
        nothing.set_result(None)
        self._pending.append((done, nothing))

    def finished(self, *, every: bool) -> Iterator[Done]:
        """Return written results, in order; `every` waits for all. Raises the errors of writing."""
        while self._pending and (every or self._pending[0][1].done() or len(self._pending) > AHEAD):
            done, future = self._pending[0]
            future.result()
            self._pending.popleft()
            yield done

    def close(self) -> None:
        """Wait for the writes in progress: a stopped run keeps what was finished."""
        for _, future in self._pending:
            with contextlib.suppress(Exception):
                future.result()
