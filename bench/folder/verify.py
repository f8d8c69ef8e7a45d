"""Exactly once: every image of every planned cell, recounted from the plans and from the parts that are there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.folder.reader import LoadedCell, ResultsFolder
from bench.record import digest
from bench.text import counted, escape_unprintable


@dataclass(frozen=True)
class Problem:
    """What is wrong with one model's condition."""

    model: str
    condition: str
    says: str

    def __str__(self) -> str:
        return escape_unprintable(f"{self.model}, {self.condition}: {self.says}")


@dataclass
class Recount:
    """Planned cells, those of them that are whole, the records in these, and whatever is not as planned.

    `spare` cells belong to no run of the folder: a run.json was lost, or they were copied here.
    """

    planned: int = 0
    whole: int = 0
    records: int = 0
    spare: int = 0
    problems: list[Problem] = field(default_factory=list)


def verify(directory: str | Path) -> Recount:
    """Recount a results folder. Raises `StoreError` where there are no results or a description is damaged."""
    folder, recount = ResultsFolder(directory), Recount()
    wanted = {cell: (run.name, name) for run in folder.suite_runs() for name, cell in run.cells.items()}
    known: dict[str, str] = {}
    for cell_id, (model, condition) in wanted.items():
        recount.planned += 1
        loaded = folder.load(cell_id) if cell_id in folder.cells else None
        problems = ["nothing of it is there"] if loaded is None else [*loaded.problems, *_doubled(loaded)]
        if loaded is not None and not problems:
            problems = [*_of_another(loaded, model, condition), *_foreign(loaded, known)]
        recount.problems += [Problem(model, condition, says) for says in problems]
        if loaded is not None and not problems:
            recount.whole += 1
            recount.records += len(loaded.records)
    recount.problems += [Problem(str(directory), "its files", says) for says in folder.problems]
    recount.spare = len(folder.cells.keys() - wanted.keys())
    return recount


def _of_another(loaded: LoadedCell, model: str, condition: str) -> Iterator[str]:
    """A plan that points to the records of something else."""
    is_of = (loaded.cell.model, loaded.cell.protocol.condition)
    if is_of != (model, condition):
        yield f"its records are of {', '.join(is_of)}"


def _foreign(loaded: LoadedCell, known: dict[str, str]) -> Iterator[str]:
    """Images or labels other than those that the first whole cell of the same manifest has; `known` gathers these."""
    listed = loaded.records[["image_id", "label"]].to_csv(index=False)
    manifest = loaded.cell.protocol.manifest
    expected = known.setdefault(manifest, digest(listed))
    if expected != digest(listed):
        yield f"its images or labels are not those of the other cells of the same data set (manifest {manifest})"


def _doubled(loaded: LoadedCell) -> Iterator[str]:
    """Images with more than one record, and more records than images."""
    if loaded.records.empty:
        return
    ids, images = loaded.records["image_id"], loaded.cell.protocol.images
    if (count := int(ids.duplicated().sum())) > 0:
        first = ids[ids.duplicated()].iloc[0]
        yield f"{counted(count, 'record')} too many of images that have one, {first} the first of them"
    if len(ids) > images:
        yield f"{counted(len(ids), 'record')} of {counted(images, 'image')}"
