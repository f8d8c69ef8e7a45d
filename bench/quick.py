"""Imports without the garbage collector.

Imports make hundreds of thousands of objects that live as long as the process. To look for garbage among them takes a
sixth of torch's import, and as much again when the process ends.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Pause the garbage collector for the imports within. In a process that begins with them, let it never look at them
    again; what others have made in a process, it may still collect."""
    running, begins = gc.isenabled(), "torch" not in sys.modules
    gc.disable()
    try:
        yield
        if begins:
            gc.freeze()
    finally:
        if running:
            gc.enable()
