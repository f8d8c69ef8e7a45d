"""Threads that decode ahead. Unlike those of `ThreadPoolExecutor` they never keep a process from ending, since a
read from a dead network disk may hang for ever."""

import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")


Task = tuple[Future[Any], Callable[[], Any]]


class Readers:
    """`count` daemon threads; Pillow releases the interpreter lock while it works."""

    def __init__(self, count: int, name: str = "read") -> None:
        self._waiting: SimpleQueue[Task | None] = SimpleQueue()
        for number in range(count):
            Thread(target=_work, args=(self._waiting,), name=f"{name}-{number}", daemon=True).start()
        weakref.finalize(self, _dismiss, self._waiting, count)

    def submit(self, task: Callable[[], Result]) -> Future[Result]:
        """Return the result of `task` as a future."""
        future: Future[Result] = Future()
        self._waiting.put((future, task))
        return future


def _work(waiting: SimpleQueue[Task | None]) -> None:
    while (item := waiting.get()) is not None:
        future, task = item
        try:
            future.set_result(task())
        except BaseException as error:
            future.set_exception(error)
        del item, future, task  # nothing decoded is kept alive by a thread that waits


def _dismiss(waiting: SimpleQueue[Task | None], count: int) -> None:
    for _ in range(count):
        waiting.put(None)
