"""A lock that allows one driver per run on a results folder.

It is the system's lock (`model_zoo.locks`) on `runs/RUN/.driver`, which ends with its process, so it is never stale and
needs no clock. `.driver.by` beside it names the holder for error messages. Object stores have no lock: two drivers
there repeat each other's units, and each unit counts once, as on a disk with a file system that cannot lock.
"""

import contextlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from bench.errors import StoreError, UsageError
from bench.options import Shard
from bench.store import Store
from model_zoo.locks import alone


@contextmanager
def sole_driver(store: Store, run_id: str, shard: Shard | None) -> Iterator[None]:
    """Hold the lock of a run, or of one shard of it. Raises `UsageError` if another process holds it."""
    if store.local is None:
        yield
        return
    path = store.local / "runs" / run_id / f".driver{f'-{shard.index}-of-{shard.count}' if shard else ''}"
    with contextlib.ExitStack() as held:
        _hold(held, path, store.address)
        yield


def _hold(held: contextlib.ExitStack, path: Path, address: str) -> None:
    by = path.with_name(f"{path.name}.by")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.enter_context(alone(path, wait=False))
        by.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
    except Timeout:
        raise UsageError(
            f"{address}: {_who(by)} is running this same run; wait for it, "
            "end it and repeat the command, or share the work: --shard i/n, --workers N"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; choose another --out") from error


def _who(by: Path) -> str:
    with contextlib.suppress(OSError):
        return by.read_text(encoding="utf-8", errors="replace") or "another process"
    return "another process"
