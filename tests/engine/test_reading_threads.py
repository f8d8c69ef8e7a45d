"""Threads that decode ahead."""

import threading

import pytest

from bench.engine.readers import Readers


def test_results_and_errors_reach_who_asked() -> None:
    readers = Readers(2)
    assert [readers.submit(lambda n=n: n * n).result(5) for n in range(4)] == [0, 1, 4, 9]
    with pytest.raises(ZeroDivisionError):
        readers.submit(lambda: 1 // 0).result(5)


def test_threads_end_with_their_readers() -> None:
    already = set(threading.enumerate())
    readers = Readers(3)
    started = set(threading.enumerate()) - already
    assert len(started) == 3
    del readers
    for thread in started:
        thread.join(5)
    assert not any(thread.is_alive() for thread in started)
