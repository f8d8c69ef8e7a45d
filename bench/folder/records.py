"""`bench.records`: the records of a results folder, an image a row, as one pandas frame."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bench.folder.reader import ResultsFolder
from bench.layout import TextColumn
from bench.readable import ReadableFrame

ABOUT = ("model", "suite", "condition", "protocol")
"""What a row says of its cell."""


class RecordsTable(ReadableFrame):
    """The table of `records`; the columns that only some conditions have are shown where there is room."""

    SHOWN = (
        TextColumn("model", heading=True),
        TextColumn("condition"),
        TextColumn("image_id"),
        TextColumn("label", right=True),
        TextColumn("prediction", right=True),
        TextColumn("scored", right=True),
        TextColumn("confidence", right=True),
        TextColumn("margin", right=True),
    )
    HIDDEN = ("suite", "protocol")


def records(directory: str | Path) -> RecordsTable:
    """Return one row per model, condition and image; `suite` is the first suite with the condition.

    Texts are categorical; classes and steps are `Int32`, with `<NA>` if an image was not scored or a condition does not
    have the column; numbers are `float32`. 50,000 images under 75 conditions take 124 MB
    (`benchmarks/records_memory.py`).
    """
    folder = ResultsFolder(str(directory))
    tables = []
    seen = set()
    for wanted in folder.suite_runs():
        for cell_id in wanted.cells.values():
            if cell_id in seen or cell_id not in folder.cells:
                continue
            seen.add(cell_id)
            table = folder.load(cell_id).table.replace_schema_metadata()
            cell = folder.cells[cell_id]
            about = (folder.label(cell), wanted.suite, cell.protocol.condition, cell.protocol.hash)
            tables.append(_described(table, dict(zip(ABOUT, about, strict=True))))
    whole = pa.concat_tables(tables, promote_options="default").unify_dictionaries().combine_chunks()
    frame: pd.DataFrame = whole.to_pandas(
        types_mapper={pa.int32(): pd.Int32Dtype()}.get, split_blocks=True, self_destruct=True, use_threads=False
    )
    for name in frame.select_dtypes("category"):  # so that they sort as texts do
        frame[name] = frame[name].cat.reorder_categories(sorted(frame[name].cat.categories))
    return RecordsTable(frame)


def _described(table: pa.Table, about: Mapping[str, str]) -> pa.Table:
    """The records of a cell with what it is before them, each text once."""
    texts = {name: pa.repeat(pa.scalar(text), len(table)) for name, text in about.items()}
    columns = {**texts, **{name: table.column(name) for name in table.column_names}}
    return pa.table({name: c.dictionary_encode() if pa.types.is_string(c.type) else c for name, c in columns.items()})
