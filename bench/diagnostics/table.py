"""Measurements of batch-norm units, one row per layer and channel, and their merging.

Rows are in the order of execution, from which depth follows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.arrow import as_arrow, as_numpy
from bench.diagnostics.distances import Channels
from bench.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

    from bench.diagnostics.collect import Collected

SCHEMA = pa.schema(
    [
        pa.field("depth", pa.int32()),
        pa.field("layer", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("channel", pa.int32()),
        pa.field("images", pa.int32()),
        pa.field("count", pa.int64()),
        pa.field("mean", pa.float64()),
        pa.field("m2", pa.float64()),
        pa.field("stored_mean", pa.float32()),
        pa.field("stored_variance", pa.float32()),
        pa.field("gamma", pa.float32()),
        pa.field("beta", pa.float32()),
        pa.field("eps", pa.float64()),
    ]
)
"""Columns of a measurement. `images`, `count`, `mean`, `m2` merge over units (`bench.diagnostics.moments`); the others
belong to the layer, null if it lacks them. `layer` is the module's name, `NAME#2` its second call in a forward pass."""

KEY = ["depth", "layer", "kind", "channel"]
MERGED = ["images", "count", "mean", "m2"]
OWN = ("stored_mean", "stored_variance", "gamma", "beta")


def to_table(found: "Collected") -> pa.Table:
    """Return the collected moments as an Arrow table."""
    from bench.diagnostics.points import stored  # imports torch, which reading a table does not need

    parts = []
    for depth, (layer, moments) in enumerate(found.moments.items()):
        c, kept = len(moments.mean), stored(found.points[layer].module)
        own = (kept.mean, kept.variance, kept.gamma, kept.beta)
        columns = {
            "depth": np.full(c, depth),
            "layer": [layer] * c,
            "kind": [found.points[layer].kind] * c,
            "channel": np.arange(c),
            "images": np.full(c, found.images),
            "count": np.full(c, moments.count),
            "mean": moments.mean,
            "m2": moments.m2,
            **{name: _fitting(values, c) for name, values in zip(OWN, own, strict=True)},
            "eps": np.full(c, kept.eps),
        }
        parts.append(pa.table([pa.array(columns[f.name], f.type, from_pandas=False) for f in SCHEMA], schema=SCHEMA))
    return pa.concat_tables(parts).combine_chunks()


def _fitting(values: Channels | None, channels: int) -> object:
    """Return float32 [c]; nulls for values that are missing or not one per channel, as a layer norm's parameters."""
    return [None] * channels if values is None or len(values) != channels else values.astype(np.float32)


def merged(units: Sequence[pa.Table]) -> pa.Table:
    """Merge the measurements of several units of one model: one row per layer and channel.

    Adds `variance` (m2 / count). Exact up to float64 rounding (`Moments.merge`). Raises `StoreError` if units differ in
    their rows or are not such measurements.
    """
    for unit in units:
        if unit.column_names != SCHEMA.names or not len(unit) or any(_is_lacking(unit[c]) for c in (*KEY, *MERGED)):
            raise StoreError(
                f"a measurement holds {len(unit)} rows of {', '.join(unit.column_names) or 'nothing'}, "
                f"expected {', '.join(SCHEMA.names)}: damaged; measure it anew"
            )
    first, *rest = units
    for unit in rest:
        if not unit.select(KEY).equals(first.select(KEY)):
            raise StoreError(
                "units of one cell hold different layers: a folder was put together from two models; "
                "measure it anew in another --out"
            )
    counts, means, m2s = (np.stack([values(unit[name]) for unit in units]) for name in ("count", "mean", "m2"))
    count = counts.sum(0)
    mean = (means * (counts / count)).sum(0)
    m2 = m2s.sum(0) + (counts * (means - mean) ** 2).sum(0)
    images = np.full(len(first), images_of(units))
    new = {"images": images, "count": count.astype(np.int64), "mean": mean, "m2": m2, "variance": m2 / count}
    return pa.table({name: first[name] for name in first.column_names} | {k: as_arrow(v) for k, v in new.items()})


def images_of(units: Sequence[pa.Table]) -> int:
    """Return the number of images behind the measurements of several units."""
    return sum(unit["images"][0].as_py() for unit in units)


def values(column: "pa.ChunkedArray | pd.Series") -> Channels:
    """Return a column as float64, NaN where there is no value."""
    return np.asarray(as_numpy(column), dtype=np.float64)


def _is_lacking(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count or (pa.types.is_floating(column.type) and np.isnan(values(column)).any()))
