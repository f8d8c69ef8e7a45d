"""Columns come out as Arrow's own conversion gives them, whose pandas they do without."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrow import as_arrow, as_numpy

VALUES = {
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**53), 2**53),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(),
    pa.large_string(): st.text(),
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
@given(data=st.data())
def test_a_column_is_what_arrow_makes_of_it(kind: pa.DataType, data: st.DataObject) -> None:
    value = st.none() | VALUES[kind]
    chunks = data.draw(st.lists(st.lists(value, max_size=20), max_size=3))
    cut = data.draw(st.integers(0, 5))
    column = pa.chunked_array([pa.array(chunk, kind) for chunk in chunks], kind).slice(cut)
    expected = column.to_numpy()
    found = as_numpy(column)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_numbers_become_a_column_and_come_back() -> None:
    for values in (np.arange(5), np.linspace(0, 1, 7), np.empty(0, np.float32)):
        column = as_arrow(values)
        assert column.equals(pa.array(values))
        np.testing.assert_array_equal(as_numpy(pa.chunked_array([column])), values)


def test_neither_imports_pandas() -> None:
    code = (
        "import sys, numpy, pyarrow as pa; from bench.arrow import as_numpy, as_arrow;"
        "as_numpy(pa.chunked_array([as_arrow(numpy.arange(3))])); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
