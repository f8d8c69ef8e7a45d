"""One rule of rounding for everything that shows a number."""

import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from bench.board.site.view import figure
from bench.board.text import readable
from bench.figures.series import Series, bars
from bench.metrics.base import Shown
from bench.rounding import decimal, with_interval

PACKAGE = Path(__file__).parents[1] / "bench"


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (100 * 0.5075, ".1f", "50.8"),  # 50.74999999999999 as a binary float
        (50.75, ".1f", "50.8"),
        (20.25, ".1f", "20.3"),  # exact in binary: Python rounds this half to the even digit, 20.2
        (-20.25, ".1f", "-20.3"),
        (0.125, "+.2f", "+0.13"),
        (99.96, ".1f", "100.0"),
        (0.5, ".0f", "1"),
        (12345.675, ".2f", "12345.68"),
        (0.0012345, ".4g", "0.001235"),
        (2.5e-9, ".1g", "3e-09"),
        (0.0, ".1f", "0.0"),
        (float("nan"), ".1f", "nan"),
        (float("inf"), "+.2f", "+inf"),
        (np.float32(0.5), ".0f", "1"),
    ],
)
def test_halves_are_rounded_away_from_zero(value: float, spec: str, text: str) -> None:
    assert decimal(value, spec) == text


@given(st.integers(0, 50_000), st.integers(1, 50_000), st.integers(0, 3))
def test_a_share_in_percent_is_rounded_as_the_fraction_is(right: int, n: int, digits: int) -> None:
    exact = (Decimal(100) * right / n).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    assert decimal(100 * (right / n), f".{digits}f") == str(exact)


@pytest.mark.parametrize("spec", ["", "d", ".1e", ".1%", "5.1f"])
def test_another_format_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="expected a format"):
        decimal(1.0, spec)


def test_tables_pages_and_figures_show_the_same_digits() -> None:
    value = 100 * 0.5075
    fields = {"x_protocol": "p", "x": value, "x_low": value, "x_high": value, "x_n": 400.0}
    board = pd.DataFrame([{"model": "m", "method": "", "architecture": "", **fields}])
    axes = Figure().subplots()
    bars(axes, ["m"], [Series("x", [0.0], [value], intervals=[(value, value)])], "accuracy (%)", "")
    assert readable(board).iloc[0, -1] == "50.8 [50.8, 50.8] n=400"
    assert figure(value) == "50.8"
    assert Shown.of("share").text(0.5075) == "50.75"
    assert "50.8" in [text.get_text() for text in axes.texts]
    assert with_interval(value, 20.25, value) == "50.8 [20.3, 50.8]"


def test_no_accuracy_is_formatted_by_another_rule() -> None:
    """Formats of percentages outside `decimal`: `{100 * x:.1f}`, as in code that was written before it."""
    own = re.compile(r"\{(?:[^{}]*100 \* [^{}]*|value|low|high|self\.value):\+?\.\d[f%]\}")
    found = {
        f"{p.relative_to(PACKAGE)}: {m[0]}" for p in PACKAGE.rglob("*.py") for m in own.finditer(p.read_text("utf-8"))
    }
    assert found <= {"metrics/sequential.py: {100 * LEVEL:.0f}", "board/site/view.py: {value:.0f}"}
