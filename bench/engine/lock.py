"""One driver a run: a second one on the same results folder is told so, a dead one is no hindrance.

The lock is the kernel's (`flock`) on `runs/RUN/.driver`: it goes with the process however that ends, so that nothing
can be stale and no clock is asked. Object stores have none: two drivers there do each other's units again, and each
unit counts once, as on a disk whose file system cannot lock, or under a system without `flock` (Windows).
"""

import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import StoreError, UsageError
from bench.options import Shard
from bench.store import Store

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def sole_driver(store: Store, run_id: str, shard: Shard | None) -> Iterator[None]:
    """Hold the lock of a run, or of one shard of it. Raises `UsageError` where another process holds it."""
    if store.local is None:
        yield
        return
    path = store.local / "runs" / run_id / f".driver{f'-{shard.index}-of-{shard.count}' if shard else ''}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; choose another --out") from error
    try:
        _lock(handle, path, store.address)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {platform.node()}".encode(), 0)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, path: Path, address: str) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"{address}: {path.read_text(errors='replace') or 'another process'} is doing this same run; wait for it, "
            "end it and repeat the command, or share the work: --shard i/n, --workers N"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise StoreError(f"cannot lock {path}: {error.strerror}") from error
