"""The notebook in docs/ runs from top to bottom."""

import json
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def code() -> list[str]:
    """Its cells of code, in order."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_every_cell_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cell in code():
            exec(compile(cell, str(NOTEBOOK), "exec"), names)
    assert set(names["table"]["model"]) == {"tiny_std", "tiny_at", "tiny_sat_silu"}
    assert len(names["pairs"].table)
    assert names["found"].distance.max() <= 2 / 255 + 1e-6


def test_it_is_kept_as_it_ran() -> None:
    """Every cell has been run in order, and none of what it shows is an error."""
    cells = [c for c in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output["output_type"] != "error" for cell in cells for output in cell["outputs"])
    assert NOTEBOOK.stat().st_size < 300_000
