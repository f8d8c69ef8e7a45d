"""Joining results folders: objects are named by what they are, so joining is copying what is not there yet."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import StoreError
from bench.store import Store


def merge(sources: Sequence[str | Path], out: str | Path) -> int:
    """Copy every object of the `sources` that `out` lacks; returns how many. `StoreError` if a source is empty."""
    target = Store(out)
    there = set(_keys(target))
    copied = 0
    for source in map(Store, sources):
        keys = list(_keys(source))
        if not keys:
            raise StoreError(f"{source.address}: no results here (expected cells/ and runs/)")
        for key in keys:
            if key not in there:
                target.put(key, source.get(key))
                there.add(key)
                copied += 1
    return copied


def _keys(store: Store) -> Iterator[str]:
    yield from (f"models/{name}" for name in store.names("models"))
    for kind in ("cells", "runs"):
        for folder in store.names(kind):
            for name in store.names(f"{kind}/{folder}"):
                yield f"{kind}/{folder}/{name}"
