"""Threads that decode ahead. Unlike a `ThreadPoolExecutor`'s they never keep a process from ending: a read from a dead
network disk may hang for ever."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")


class Readers:
    """`count` daemon threads; Pillow leaves the interpreter lock while it works."""

    def __init__(self, count: int) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        for number in range(count):
            Thread(target=self._work, name=f"read-{number}", daemon=True).start()

    def submit(self, task: Callable[[], Result]) -> Future[Result]:
        """The result of `task`, when a thread has come to it."""
        future: Future[Result] = Future()
        self._waiting.put((future, task))
        return future

    def _work(self) -> None:
        while True:
            future, task = self._waiting.get()
            try:
                future.set_result(task())
            except BaseException as error:
                future.set_exception(error)
            del future, task  # nothing decoded is kept alive by a thread that waits
