"""Start and end of a command without the garbage collector.

Imports make hundreds of thousands of objects that live as long as the process. To look for garbage among them takes a
sixth of torch's import, and as much again when the process ends.
"""

import atexit
import functools
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the garbage collector; it goes on as it was before."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@functools.cache
def end_at_once() -> None:
    """Leave what lives when the process ends to the operating system. Handlers of `atexit` still run."""
    atexit.register(gc.freeze)
