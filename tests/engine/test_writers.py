"""Writing beside the work: in order, nothing lost, and a failed write ends the run."""

import threading
import time
from dataclasses import dataclass
from typing import Any, cast

import pytest

from bench.engine.work import Done
from bench.engine.writers import AHEAD, Writers
from bench.errors import StoreError


@dataclass(frozen=True)
class Some:
    """Stands for a work that is done."""

    number: int


def some(number: int) -> Done:
    return cast(Done, Some(number))


@pytest.mark.parametrize("count", [0, 8])
def test_every_work_comes_out_once_in_order_and_is_written(count: int) -> None:
    written: list[Any] = []
    writers = Writers(lambda done: (time.sleep(0.001 * (cast(Any, done).number % 7)), written.append(done))[1], count)
    out = []
    for number in range(200):
        writers.put(some(number))
        out += list(writers.finished(every=False))
        assert set(out) <= set(written), "nothing comes out before it is written"
    out += list(writers.finished(every=True))
    assert out == [some(number) for number in range(200)]
    assert len(written) == 200


def test_waits_go_side_by_side() -> None:
    together = threading.Barrier(8, timeout=20)  # which eight writes at once alone can pass
    writers = Writers(lambda _: together.wait() and None, 8)
    for number in range(8):
        writers.put(some(number))
    assert len(list(writers.finished(every=True))) == 8


def test_no_more_than_some_are_held_in_memory() -> None:
    free = threading.Event()
    writers = Writers(lambda _: free.wait(20) and None, 2)
    for number in range(AHEAD):
        writers.put(some(number))
    assert list(writers.finished(every=False)) == [], "nobody waits for a write that is under way"
    writers.put(some(AHEAD))
    threading.Timer(0.05, free.set).start()
    assert next(writers.finished(every=False)) == some(0)
    assert free.is_set(), "one work more was waited for"


@pytest.mark.parametrize("count", [0, 4])
def test_a_write_that_fails_is_raised_and_the_others_are_kept(count: int) -> None:
    written = []

    def write(done: Done) -> None:
        if cast(Any, done).number == 2:
            raise StoreError("no space")
        written.append(done)

    writers = Writers(write, count)

    def work() -> None:
        for number in range(5):
            writers.put(some(number))
            list(writers.finished(every=False))
        list(writers.finished(every=True))

    with pytest.raises(StoreError, match="no space"):
        work()
    writers.close()
    assert {some(0), some(1)} <= set(written)
    assert some(2) not in written
