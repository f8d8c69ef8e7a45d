"""The figures of corruptions show what was measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.corruptions import EXTRA, NAMES, corrupt
from bench.engine.run import carry_out, prepare
from bench.errors import IncompleteError
from bench.figures import heat_maps
from bench.figures.corruptions import contact_sheet, error_table, heat_map
from bench.folder.tables import results
from bench.testing import fake_model, write_pictures


def _frame() -> pd.DataFrame:
    rows = [
        ("m", "imagenet-c-live", f"imagenet/{name}/{severity}-jpeg85", "accuracy", 0.9 - 0.1 * severity)
        for name in ("fog", "snow")
        for severity in (1, 2, 3, 4, 5)
    ]
    rows += [("m", "imagenet-c-live", "imagenet/clean", "accuracy", 0.8), ("m", "imagenet-c-live", "all", "mce", 70.0)]
    return pd.DataFrame(rows, columns=["model", "suite", "condition", "metric", "value"])


def test_errors_stand_in_their_cells_and_what_was_not_measured_is_left_out() -> None:
    table = error_table(_frame(), "m", "imagenet-c-live")
    assert list(table.index) == ["snow", "fog"]
    assert table.loc["fog", 3] == pytest.approx(40)
    with pytest.raises(IncompleteError, match="bench run --suite imagenet-c"):
        error_table(_frame(), "m", "imagenet-c")


def test_the_heat_map_draws_the_table() -> None:
    axes = heat_map(_frame(), "m", "imagenet-c-live").axes[0]
    np.testing.assert_allclose(axes.images[0].get_array()[1], [20, 30, 40, 50, 60])
    assert [t.get_text() for t in axes.texts[:5]] == ["20", "30", "40", "50", "60"]


def test_the_contact_sheet_holds_every_corruption_at_every_severity() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
    axes = contact_sheet(picture).axes
    assert len(axes) == 5 * len(NAMES + EXTRA)
    fog = 5 * NAMES.index("fog") + 2
    np.testing.assert_array_equal(axes[fog].images[0].get_array(), corrupt(picture, "fog", 3))


def test_every_model_with_corrupted_conditions_has_its_heat_map(tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "tiny", ["n01440764"], 2)
    out = tmp_path / "out"
    prepared = prepare([fake_model(), fake_model("clean")], "imagenet-c-live", data=data, out=out)
    prepared.todo[:] = [unit for unit in prepared.todo if unit.setup.corruption][:3]
    carry_out(prepared, quiet=True)
    frame = results(out)
    assert set(heat_maps(frame)) == {f"corruptions-imagenet-c-live-{name}" for name in ("fake", "clean")}
    assert not heat_maps(frame[frame["suite"] == "none"])
    assert not heat_maps(frame.assign(suite="batchnorm"))
