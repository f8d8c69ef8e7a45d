"""The figures of corruptions show what was measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
from bench.corruptions import EXTRA, NAMES, corrupt
from bench.engine.run import carry_out, prepare
from bench.errors import IncompleteError
from bench.figures import heat_maps
from bench.figures.corruptions import contact_sheet, error_table, heat_map
from bench.figures.measured import Numbers
from bench.testing import fake_model, write_pictures, write_results


def _frame() -> pd.DataFrame:
    rows = [
        ("m", "imagenet-c-live", f"imagenet/{name}/{severity}-jpeg85", "accuracy", 0.9 - 0.1 * severity)
        for name in ("fog", "snow")
        for severity in (1, 2, 3, 4, 5)
    ]
    rows += [("m", "imagenet-c-live", "imagenet/clean", "accuracy", 0.8), ("m", "imagenet-c-live", "all", "mce", 70.0)]
    return pd.DataFrame(rows, columns=["model", "suite", "condition", "metric", "value"]).assign(n=20)


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
    assert set(heat_maps(Numbers(out))) == {f"corruptions-imagenet-c-live-{name}" for name in ("fake", "clean")}


def test_a_diagnosis_under_one_severity_has_no_heat_map(tmp_path: Path) -> None:
    conditions = {f"imagenet/{name}/3-jpeg85": 0.5 for name in NAMES}
    write_results(tmp_path, "m", {"batchnorm": conditions, "someone-s": {"imagenet/clean": 0.5}})
    assert not heat_maps(Numbers(tmp_path))


def test_a_map_is_of_one_run_and_says_its_n(tmp_path: Path) -> None:
    """Ten images under 75 conditions, then forty other images under five of them: one map is not made of both."""
    every = {f"imagenet-c/{name}/{severity}": 0.9 for name in NAMES for severity in range(1, 6)}
    few = {f"imagenet-c/fog/{severity}": 0.2 for severity in range(1, 6)}
    for conditions, n in ((every, 10), (few, 40), (every | few, 20)):
        write_results(tmp_path, "m", {"imagenet-c": conditions}, n=n, images=f"of{n}_")
    for drawn in (bench.plot.heat_map(tmp_path, "m"), heat_maps(Numbers(tmp_path))["corruptions-imagenet-c-m"]):
        errors = dict(zip(NAMES, drawn.axes[0].images[0].get_array().tolist(), strict=True))
        assert drawn.axes[0].get_title() == "m, imagenet-c: top-1 error in %, n 20"
        np.testing.assert_allclose(errors["fog"], [80] * 5)
        np.testing.assert_allclose(errors["snow"], [10] * 5)
