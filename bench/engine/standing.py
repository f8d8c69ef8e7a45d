"""The stored units of a plan, and repairs to make before the rest runs. Looking changes nothing, also in a dry run;
`Mend.carry_out` is for the holder of the run's lock."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.engine.contents import check_contents, sample_of_now
from bench.engine.plan import Plan, PlanEntry
from bench.engine.session import Session
from bench.parts import part_names, read_sound_part, remove_part, replace_part
from bench.record import Cell, UnitKey
from bench.store import Store

READS_AT_ONCE = 16
"""Number of cells read in parallel when a run continues; object stores are slow for each."""


@dataclass(frozen=True)
class Mend:
    """A part stored under `name`: `about` is what it must say of its set; None if it is damaged."""

    cell: Cell
    unit: UnitKey
    name: str
    about: Mapping[bytes, bytes] | None = None

    def carry_out(self, store: Store) -> None:
        """Delete it, or write it again, unless another process did."""
        records = read_sound_part(store, self.cell.id, self.unit, self.name)
        if self.about is None and records is None:
            remove_part(store, self.cell, self.name)
        elif self.about is not None and records is not None:
            replace_part(store, self.cell, self.unit, self.name, records.replace_schema_metadata(self.about))


@dataclass(frozen=True)
class Standing:
    """The units that each cell has, by its id, and the repairs."""

    done: Mapping[str, set[UnitKey]]
    mends: tuple[Mend, ...]


def look(plan: Plan, store: Store, session: Session) -> Standing:
    """Return the finished units; raises `ChangedError` if their images are no longer those that were measured."""
    cells = plan.cells

    def found(entry: PlanEntry) -> list[tuple[UnitKey, Mend | None]]:
        return list(_parts(entry, store, session))

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        parts = dict(zip(cells, pool.map(found, cells.values()), strict=True))
    mends = [mend for pairs in parts.values() for _, mend in pairs if mend]
    damaged = {(mend.cell.id, mend.unit) for mend in mends if mend.about is None}
    done = {id: {unit for unit, _ in pairs if (id, unit) not in damaged} for id, pairs in parts.items()}
    return Standing(done, tuple(mends))


def _parts(entry: PlanEntry, store: Store, session: Session) -> Iterator[tuple[UnitKey, Mend | None]]:
    for unit, name in part_names(store, entry.cell.id).items():
        records = read_sound_part(store, entry.cell.id, unit, name)
        if records is None:
            yield unit, Mend(entry.cell, unit, name)
            continue
        dataset = session.dataset_of(entry.setup)
        check_contents(session, dataset, unit, records)
        about = sample_of_now(session, dataset, records.schema)
        yield unit, Mend(entry.cell, unit, name, about) if about else None
