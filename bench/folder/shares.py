"""Shards of one command that a merge refuses, since they were measured on different sets or models.

Such folders may share no unit, so images cannot be compared. The difference shows in the sample of the set in each
part, or, if the listing or the model differs, in a run that the other folder does not have.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.errors import StoreError
from bench.manifest import RunEntry, RunManifest, read_manifest
from bench.options import OPTIONS
from bench.parts import part_names, read_cell, read_schema
from bench.record import Cell, UnitKey, digest
from bench.sample import Sample, sample_of, unlike
from bench.store import Store

_APART = "next: keep the folders apart, or measure the shards anew with the same data and models"


@dataclass(frozen=True)
class ShardRun:
    """A run of one results folder."""

    store: Store
    manifest: RunManifest

    @property
    def id(self) -> str:
        """The run's manifest."""
        return self.manifest.id


def check_shares(stores: Sequence[Store]) -> None:
    """Raise `StoreError` if shards of one command in `stores` do not belong to one measurement."""
    alike: dict[str, list[ShardRun]] = {}
    for store in stores:
        for share in _shares(store):
            others = alike.setdefault(_asked(share), [])
            for other in others:
                if other.store is not store:
                    _check_pair(other, share, stores)
            others.append(share)


def _shares(store: Store) -> Iterable[ShardRun]:
    for run in store.names("runs"):
        try:
            yield ShardRun(store, read_manifest(store, run))
        except StoreError:
            continue


def _asked(share: ShardRun) -> str:
    """Return what shards of one command share: models, suites, and every option that may change a number."""
    given = share.manifest.given
    names = sorted(model.name for model in share.manifest.models.values())
    options = {name: given.get(name) for name, option in OPTIONS.items() if option.role == "number"}
    return digest([names, sorted(share.manifest.suites), options])


def _check_pair(a: ShardRun, b: ShardRun, stores: Sequence[Store]) -> None:
    if a.id == b.id:
        _check_samples(a, b)
    elif _sharded(a) and _sharded(b) and not _whole(a, stores) and not _whole(b, stores):
        raise StoreError(
            f"{a.store.address} and {b.store.address}: shards of one command that do not belong together: "
            f"{_difference(a, b)}; {_APART}"
        )


def _sharded(share: ShardRun) -> bool:
    return share.manifest.given.get("shard") is not None


def _check_samples(a: ShardRun, b: ShardRun) -> None:
    """Raise `StoreError` if the two folders had different sets in one plan."""
    seen: dict[tuple[str, str], tuple[ShardRun, Sample]] = {}
    for share in (a, b):
        for entry in share.manifest.entries:
            cell, sample = _read(share.store, entry)
            if cell is None or not sample:
                continue
            other, known = seen.setdefault(cell.protocol.listing, (share, sample))
            if image := unlike(known, sample):
                raise StoreError(
                    f"{other.store.address} and {share.store.address}: {cell.protocol.dataset}: {image} is not the "
                    f"same image in both: they are shares of unlike sets under one listing; {_APART}"
                )


def _read(store: Store, entry: RunEntry) -> tuple[Cell | None, Sample]:
    """Return the cell of a plan's line, and the sample of its first part; empty if it is damaged or missing."""
    try:
        names = part_names(store, entry.cell)
        return read_cell(store, entry.cell), sample_of(read_schema(store, entry.cell, min(names.values())))
    except (StoreError, ValueError):
        return None, {}


def _whole(share: ShardRun, stores: Sequence[Store]) -> bool:
    """Return whether the folders together have all of a run."""
    for entry in share.manifest.entries:
        units = set[UnitKey]().union(*(part_names(store, entry.cell) for store in stores))
        if sum(unit.stop - unit.start for unit in units) < entry.images:
            return False
    return True


def _difference(a: ShardRun, b: ShardRun) -> str:
    """Return the difference between the first two cells that are not equal."""
    theirs = {(entry.suite, entry.model, entry.condition): entry for entry in b.manifest.entries}
    for entry in a.manifest.entries:
        other = theirs.get((entry.suite, entry.model, entry.condition))
        if other is None or other.cell == entry.cell:
            continue
        try:
            mine, its = read_cell(a.store, entry.cell), read_cell(b.store, other.cell)
        except StoreError:
            continue
        if mine.fingerprint != its.fingerprint:
            return f"{mine.model} has other weights or source ({mine.fingerprint[:8]} and {its.fingerprint[:8]})"
        if mine.protocol.manifest != its.protocol.manifest:
            return (
                f"{mine.protocol.dataset} has other names, labels or sizes ({mine.protocol.images} and "
                f"{its.protocol.images} images, manifest {mine.protocol.manifest} and {its.protocol.manifest})"
            )
        return f"{entry.condition} was measured under other protocols ({mine.protocol.hash} and {its.protocol.hash})"
    return "their plans differ"
