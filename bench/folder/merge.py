"""Join results folders: objects are named by their content, so joining copies the missing ones."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from bench.errors import StoreError
from bench.folder.shares import check_shares
from bench.known_models import KnownModel, read_known_models
from bench.parts import is_sound, part_names, read_part
from bench.record import UnitKey
from bench.store import Store
from model_zoo.identity import alike


def merge(sources: Sequence[str | Path], out: str | Path) -> int:
    """Copy every object of the `sources` that is missing or damaged in `out`; return the number of copies.

    Of several copies an undamaged one is taken; an object without one is left out, and its unit must be repeated.
    Raises `StoreError`, before anything is copied, for an empty source, for two sources with different images or
    different models of one name, and for shards of different sets or models.
    """
    target, stores = Store(out), [Store(source) for source in sources]
    keys = [set(_keys(store)) for store in stores]
    for store, found in zip(stores, keys, strict=True):
        if not found:
            raise StoreError(f"{store.address}: no results here (expected cells/ and runs/)")
    _check_contents([target, *stores])
    check_shares([target, *stores])
    there = {key for key in _keys(target) if _is_sound(target, key)}
    copied = 0
    for key in sorted(set().union(*keys) - there):
        for store, found in zip(stores, keys, strict=True):
            if key in found and (data := _sound(store, key)) is not None:
                target.put(key, data)
                copied += 1
                break
    return copied


def _keys(store: Store) -> Iterator[str]:
    yield from (f"models/{name}" for name in store.names("models"))
    for kind in ("cells", "runs"):
        for folder in store.names(kind):
            for name in store.names(f"{kind}/{folder}"):
                yield f"{kind}/{folder}/{name}"


def _sound(store: Store, key: str) -> bytes | None:
    """Return the object, if it is a regular, undamaged file."""
    try:
        data = store.get(key)
    except StoreError:
        return None
    return data if is_sound(key, data) else None


def _is_sound(store: Store, key: str) -> bool:
    return _sound(store, key) is not None


def _check_contents(stores: Sequence[Store]) -> None:
    """Raise `StoreError` if folders have records of one cell with different images or models."""
    first: dict[str, tuple[Store, KnownModel]] = {}
    for store in stores:
        for model in read_known_models(store):
            other, known = first.setdefault(model.key, (store, model))
            if known.probe and model.probe and not alike(known.probe, model.probe):
                raise StoreError(
                    f"{other.address} and {store.address}: {model.key} has the same weights and source in both, and "
                    "has other outputs for the same images; next: keep the folders apart, or measure it again in one"
                )
    seen: dict[tuple[str, UnitKey], tuple[Store, str]] = {}
    for store in stores:
        for cell in store.names("cells"):
            for unit, name in part_names(store, cell).items():
                other_store, other_name = seen.setdefault((cell, unit), (store, name))
                if other_name != name and (image := _unlike_picture(other_store, other_name, store, name, cell)):
                    raise StoreError(
                        f"{other_store.address} and {store.address}: cells/{cell}: {image} is not the same image in "
                        "both: they were measured on other images; next: keep the folders apart, or measure one again"
                    )


def _unlike_picture(a: Store, name_a: str, b: Store, name_b: str, cell: str) -> str:
    """Return the first image with different content in two parts of one unit; empty if there is none."""
    tables = read_part(a, cell, name_a), read_part(b, cell, name_b)
    columns = []
    for table in tables:
        if not isinstance(table, pa.Table) or "content" not in table.column_names:
            return ""
        columns.append(table.select(["image_id", "content"]).to_pylist())
    pairs = zip(*columns, strict=True)
    return next((str(x["image_id"]) for x, y in pairs if x["content"] and y["content"] and x != y), "")
