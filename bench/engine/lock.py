"""One driver a run: a second one on the same results folder is told so, a dead one is no hindrance.

The lock is the system's (`model_zoo.locks`) on `runs/RUN/.driver`: it goes with the process however that ends, so that
nothing can be stale and no clock is asked; who holds it stands in `.driver.by` beside it, for the other one's message.
Object stores have none: two drivers there do each other's units again, and each unit counts once, as on a disk whose
file system cannot lock.
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
    """Hold the lock of a run, or of one shard of it. Raises `UsageError` where another process holds it."""
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
            f"{address}: {_who(by)} is doing this same run; wait for it, "
            "end it and repeat the command, or share the work: --shard i/n, --workers N"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; choose another --out") from error


def _who(by: Path) -> str:
    with contextlib.suppress(OSError):
        return by.read_text(encoding="utf-8", errors="replace") or "another process"
    return "another process"
