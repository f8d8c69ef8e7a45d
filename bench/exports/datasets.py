"""Export as a data set: Parquet files, and a README that declares them to `datasets`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import IncompleteError, UsageError
from bench.exports.base import Exported, chosen, not_exported
from bench.folder.reader import LoadedCell, ResultsFolder
from bench.folder.results_table import as_frame
from bench.folder.suites import load_suites
from bench.folder.tables import collect
from bench.record import record_fields
from bench.text import escape_unprintable

README = """---
configs:
- config_name: records
  default: true
  data_files:
  - split: test
    path: records/*.parquet
- config_name: results
  data_files:
  - split: test
    path: results.parquet
---

# Results of robust-imagenet-bench

`records` has one row per model, condition and image, `results` one per model, suite, condition and metric, with its
95 % interval, n and protocol. Rows of unlike protocols are not comparable.
"""

KEYS = ("model", "suite", "condition", "protocol")
"""Columns placed before those of a record."""


def export_dataset(directory: str | Path, out: Path, models: Sequence[str] = ()) -> Exported:
    """Write `README.md`, `results.parquet` and `records/` (one file per cell) into `out`, one cell in memory at a time.

    Incomplete cells are left out. Raises `UsageError` if `out` holds other files.
    """
    folder = ResultsFolder(directory)
    table = as_frame(collect(load_suites(folder)))
    kept = table[table["model"].isin(chosen(table, models))]
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out}: expected a new or empty folder, found files; name another with --out")
    schema = _schema(folder, models)
    (out / "records").mkdir(parents=True, exist_ok=True)
    files = []
    for cell_id, keys, cell in _cells(folder, models):
        files.append(out / "records" / f"{cell_id}.parquet")
        pq.write_table(_table(cell.table, (*keys, cell.cell.protocol.hash), schema), files[-1])
    pq.write_table(pa.Table.from_pandas(kept, preserve_index=False).replace_schema_metadata(), out / "results.parquet")
    said = "".join(f"\n- {escape_unprintable(line)}" for line in table.attrs["remarks"])
    (out / "README.md").write_text(README + (f"\nRemarks:\n{said}\n" if said else ""), encoding="utf-8")
    files = [out / "README.md", out / "results.parquet", *files]
    return Exported(tuple(files), not_exported(folder, table))


def _cells(folder: ResultsFolder, models: Sequence[str]) -> Iterator[tuple[str, tuple[str, str, str], LoadedCell]]:
    """Yield every complete cell once, with its key, (model, first suite that uses it, condition)."""
    seen = set()
    for wanted in folder.suite_runs():
        if models and wanted.model not in models:
            continue
        for cell_id in wanted.cells.values():
            if cell_id in seen or cell_id not in folder.cells:
                continue
            seen.add(cell_id)
            if (cell := folder.load(cell_id)).complete:
                yield cell_id, (folder.label(cell.cell), wanted.suite, cell.cell.protocol.condition), cell


def _schema(folder: ResultsFolder, models: Sequence[str]) -> pa.Schema:
    """Return the union of all cells' columns, shared by all files. Raises `IncompleteError` if no cell is complete."""
    fields: dict[str, pa.Field] = {}
    for _, _, cell in _cells(folder, models):
        fields |= {field.name: field.with_nullable(True) for field in record_fields(cell.table)}
    if not fields:
        raise IncompleteError(f"{folder.store.address}: no condition is complete; `bench results` says what is missing")
    return pa.schema([*(pa.field(name, pa.string()) for name in KEYS), *fields.values()])


def _table(records: pa.Table, keys: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Return the stored records with the key columns first, and null in columns that only other cells have."""
    count = records.num_rows
    columns = {field.name: pa.nulls(count, field.type) for field in schema}
    columns |= {name: pa.repeat(key, count) for name, key in zip(KEYS, keys, strict=True)}
    columns |= dict(zip(records.column_names, records.columns, strict=True))
    return pa.table(columns, schema=schema)
