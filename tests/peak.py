"""The most memory that Arrow held at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def arrow_memory() -> Iterator[pa.MemoryPool]:
    """Allocate within from a pool whose `max_memory()` tells the peak, in bytes, after it too."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        yield pool
    finally:
        pa.set_memory_pool(before)
