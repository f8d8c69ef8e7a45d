"""`bench compare`: two models of a results folder, image by image, under like protocols only."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from bench.errors import IncompleteError, UsageError
from bench.metrics.base import ConditionName, MissingConditionError
from bench.metrics.estimate import Estimate
from bench.metrics.paired import PairedDifference, changed, compare, holm, mce_difference
from bench.record import Protocol
from bench.reports.folder import LoadedCell, ResultsFolder


@dataclass(frozen=True)
class Comparison:
    """Two models: a row per condition both were measured under (`p_holm` over all rows), mCE's difference, images."""

    table: pd.DataFrame
    mce: Estimate | None
    images: pd.DataFrame


def compare_models(a: str, b: str, directory: str | Path) -> Comparison:
    """Paired comparison of models `a` and `b` from their records.

    Raises `UsageError` for a model that is not there or when the two share no condition under one protocol (naming
    what differs), `IncompleteError` for records that are not complete.
    """
    folder = ResultsFolder(str(directory))
    cells_a, cells_b = _cells(folder, a), _cells(folder, b)
    shared = [name for name in cells_a if name in cells_b]
    like = [name for name in shared if cells_a[name].cell.protocol == cells_b[name].cell.protocol]
    if not like:
        raise UsageError(f"{a} and {b} cannot be compared: {_why_not(cells_a, cells_b, shared)}")
    if gaps := [p for name in like for cell in (cells_a[name], cells_b[name]) for p in cell.problems]:
        raise IncompleteError(f"{directory} is incomplete; repeat the command of the run: {gaps[0]}")
    pairs = {name: compare(cells_a[name].records, cells_b[name].records) for name in like}
    images = [changed(cells_a[name].records, cells_b[name].records).assign(condition=name) for name in like]
    return Comparison(_table(pairs, cells_a), _mce(cells_a, cells_b, like), pd.concat(images, ignore_index=True))


def _cells(folder: ResultsFolder, model: str) -> dict[str, LoadedCell]:
    """The model's cells by condition, the one with most images where there are several."""
    ids = [cell_id for cell_id, cell in folder.cells.items() if cell.model == model]
    if not ids:
        raise UsageError.unknown("model", model, {cell.model for cell in folder.cells.values()})
    ids.sort(key=lambda cell_id: folder.cells[cell_id].protocol.images)
    return {folder.cells[cell_id].protocol.condition: folder.load(cell_id) for cell_id in ids}


def _why_not(a: dict[str, LoadedCell], b: dict[str, LoadedCell], shared: list[str]) -> str:
    if not shared:
        return f"no condition in common ({', '.join(sorted(a)[:3])} against {', '.join(sorted(b)[:3])})"
    return "; ".join(differing(a[name].cell.protocol, b[name].cell.protocol) for name in shared[:3])


def differing(a: Protocol, b: Protocol) -> str:
    """In what two protocols of the same condition differ."""
    unlike = [f.name for f in fields(Protocol) if getattr(a, f.name) != getattr(b, f.name)]
    values = ", ".join(f"{name} {getattr(a, name)!r} against {getattr(b, name)!r}" for name in unlike)
    return f"under {a.condition} their protocols differ: {values}"


def _table(pairs: dict[str, PairedDifference], cells: dict[str, LoadedCell]) -> pd.DataFrame:
    adjusted = holm([pair.p for pair in pairs.values()])
    return pd.DataFrame(
        {"condition": name, **asdict(pair), "p_holm": p, "protocol": cells[name].cell.protocol.hash}
        for (name, pair), p in zip(pairs.items(), adjusted, strict=True)
    )


def _mce(a: dict[str, LoadedCell], b: dict[str, LoadedCell], like: list[str]) -> Estimate | None:
    """The difference of mCE where both have all 75 conditions."""
    corrupted = [name for name in like if ConditionName.parse(name).severity]
    try:
        return mce_difference({n: a[n].records for n in corrupted}, {n: b[n].records for n in corrupted})
    except MissingConditionError:
        return None
