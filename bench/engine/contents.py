"""Check that the images of a finished unit are still those that were measured."""

import pyarrow as pa

from bench.datasets.base import Dataset
from bench.datasets.content import ChangedError, UnreadableError
from bench.engine.session import Session, state_of
from bench.record import SAMPLE_STATE, STATE, UnitKey
from bench.sample import sample_of, unlike


def check_contents(session: Session, dataset: Dataset, unit: UnitKey, records: pa.Table) -> None:
    """Raise `ChangedError` if an image of the unit has another content than its record.

    Files with an unchanged file state are not read; all others (a copy, another machine) are read once.
    """
    indices = range(unit.start, min(unit.stop, len(dataset)))
    stored = (records.schema.metadata or {}).get(STATE.encode(), b"").decode("ascii", "replace")
    if "content" not in records.column_names or (stored and stored == state_of(dataset, indices)):
        return
    measured = records.column("content").to_pylist()
    if not any(measured):
        return
    other = [i for i, was in zip(indices, measured, strict=True) if was and was != _content(session, dataset, i)]
    if other:
        raise ChangedError(
            f"{dataset.name}: {len(other)} images of the images [{unit.start}, {unit.stop}) are not those that were "
            f"measured, {dataset.ids[other[0]]} the first of them: its content differs, or cannot be read; next: "
            "restore the images, or measure these into another folder with --out"
        )


def sample_of_now(session: Session, dataset: Dataset, records: pa.Schema) -> dict[bytes, bytes] | None:
    """Return the new sample of the set for records with unchanged images, if files elsewhere in the set were written
    to; None if the sample is unchanged. With it the records stay of one set with what is measured next."""
    about = records.metadata or {}
    stored = about.get(SAMPLE_STATE.encode(), b"").decode("ascii", "replace")
    if not stored or stored == session.sample_state(dataset):
        return None
    now = session.sample(dataset)
    if not unlike(sample_of(records), sample_of(pa.schema([], now))):
        return None
    return {**about, **{key.encode(): text.encode() for key, text in now.items()}}


def _content(session: Session, dataset: Dataset, index: int) -> str | None:
    def read() -> str | None:
        try:
            return dataset.hash_of(index)
        except UnreadableError:
            return None

    found: str | None = session.keep(f"content {dataset.shelf} {index}", read)
    return found
