"""Columns of Arrow tables as NumPy arrays without pandas, which Arrow's own conversion imports: half a second."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def as_numpy(column: "pa.ChunkedArray | pd.Series") -> NDArray[Any]:
    """Return a column of texts, truth values or numbers, as its `to_numpy` does: texts as objects, integers with nulls
    as float64, and NaN (None for texts and truth values) for a null."""
    if not isinstance(column, pa.ChunkedArray):
        return np.asarray(column.to_numpy())
    kind = column.type
    if pa.types.is_string(kind) or (pa.types.is_boolean(kind) and column.null_count):
        return np.array(column.to_pylist(), dtype=object)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return np.asarray(column.to_numpy())
    array = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks) if len(column) else None
    if array is None or not len(array):
        return np.empty(0, kind.to_pandas_dtype())
    valid, values = array.buffers()
    if pa.types.is_boolean(kind):
        return _bits(values, array)
    found = np.frombuffer(values, kind.to_pandas_dtype())[array.offset : array.offset + len(array)]
    if not array.null_count:
        return found
    floats = found if pa.types.is_floating(kind) else found.astype(np.float64)
    return np.where(_bits(valid, array), floats, floats.dtype.type(np.nan))


def as_arrow(values: NDArray[Any]) -> pa.Array:
    """Return numbers as an Arrow array, without a copy; `pyarrow.array` imports pandas, too."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _bits(buffer: pa.Buffer, array: pa.Array) -> NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8), count=array.offset + len(array), bitorder="little")
    return np.asarray(bits[array.offset :], dtype=bool)
