"""p of Student's t is that of scipy, in the centre and far out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.metrics.student import student_p


@given(
    t=st.floats(0, 1e6) | st.floats(0, 60) | st.sampled_from([0.0, 1e-9, np.inf]),
    dof=st.integers(1, 60) | st.integers(1, 60_000),
)
def test_p_is_that_of_scipy(t: float, dof: int) -> None:
    expected = 2 * stats.t.sf(t, dof)
    found = student_p(np.array([-t, t]), np.array([dof, dof]))
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-290)


def test_of_several_each_has_its_own() -> None:
    t, dof = np.array([[0.0, 2.0], [np.nan, 30.0]]), np.array([[3.0, 9.0], [5.0, 40_000.0]])
    found = student_p(t, dof)
    assert np.isnan(found[1, 0])
    rest = ~np.isnan(t)
    np.testing.assert_allclose(found[rest], 2 * stats.t.sf(t[rest], dof[rest]), rtol=1e-8)
