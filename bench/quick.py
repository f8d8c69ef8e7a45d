"""Imports without the garbage collector.

Imports make hundreds of thousands of objects that live as long as the process. To look for garbage among them takes a
sixth of torch's import, and as much again when the process ends.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Pause the garbage collector for the imports within. The first time in a process, let it never look again at what
    is there by then."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
        if not gc.get_freeze_count():
            gc.freeze()
    finally:
        if running:
            gc.enable()
