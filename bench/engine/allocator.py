"""Memory of the C library: large arrays stay with the process instead of going back to the system after each layer.

glibc maps each large block anew and returns it when it is freed. The page faults are up to half of a forward pass at
224 pixels on a CPU. No number depends on it: torch aligns every block alike.
"""

import ctypes
import functools
import os
import platform

MOST_FREE = 1 << 30
"""Bytes of free memory that the process keeps at most."""

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of `mallopt` (malloc.h)."""

_CHOSEN = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@functools.cache
def keep_large_blocks() -> bool:
    """Set it for this process, once; return whether it is set: where the C library is glibc, and its user has chosen
    nothing else in the environment."""
    if platform.system() != "Linux" or any(name in os.environ for name in _CHOSEN):
        return False
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    return bool(libc.mallopt(_MMAP_MAX, 0) and libc.mallopt(_TRIM_THRESHOLD, MOST_FREE))
