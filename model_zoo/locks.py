"""A lock for one process at a time, by `filelock`: a system lock that ends with its process."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def alone(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock at `path`; a file system that cannot lock is used without. Raises `filelock.Timeout` if another
    process holds it and this one does not `wait`, `OSError` if `path` cannot be written."""
    lock = FileLock(path, blocking=wait, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # filelock.Timeout has none
            raise
    try:
        yield
    finally:
        lock.release()
