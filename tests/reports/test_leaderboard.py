"""The leaderboard: one protocol a column, intervals beside values, what is left out is said."""

from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.reports.leaderboard import leaderboard, to_latex, to_markdown
from bench.testing import fake_model, write_pictures

WNIDS = ("n01440764", "n02123045", "n15075141")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data"), WNIDS, 4)


def test_a_row_holds_what_the_table_says(data: Path, tmp_path: Path) -> None:
    table = bench.run([fake_model("a"), fake_model("b", seed=1)], "imagenet", data=data, out=tmp_path, quiet=True)
    board = leaderboard(tmp_path).set_index("model")
    for row in table[table["condition"] == "all"].to_dict("records"):
        assert board.loc[row["model"], "imagenet_accuracy"] == pytest.approx(100 * row["value"])
        assert board.loc[row["model"], "imagenet_accuracy_low"] == pytest.approx(100 * row["low"])
        assert board.loc[row["model"], "imagenet_accuracy_n"] == 12
        assert board.loc[row["model"], "imagenet_accuracy_protocol"] == row["protocol"]
    assert board.loc["a", "parameters"] == sum(p.numel() for p in fake_model("a").parameters())


def test_unlike_protocols_never_share_a_column(data: Path, tmp_path: Path) -> None:
    bench.run([fake_model("a"), fake_model("b", seed=1)], "imagenet", data=data, out=tmp_path, quiet=True)
    bench.run(fake_model("c", seed=2), "imagenet", data=data, out=tmp_path, limit=5, quiet=True)
    board = leaderboard(tmp_path).set_index("model")
    assert board["imagenet_accuracy_protocol"].dropna().nunique() == 1
    assert pd.isna(board.loc["c", "imagenet_accuracy"])
    assert "c was measured under another protocol and is not shown" in "\n".join(board.attrs["notes"])


def test_a_model_measured_twice_stands_once_with_most_images(data: Path, tmp_path: Path) -> None:
    for limit in (5, None):
        bench.run(fake_model("a"), "imagenet", data=data, out=tmp_path, limit=limit, quiet=True)
    board = leaderboard(tmp_path)
    assert len(board) == 1
    assert board["imagenet_accuracy_n"].item() == 12


def test_models_of_unlike_size_share_the_canonical_protocol_and_not_the_published(data: Path, tmp_path: Path) -> None:
    models = [fake_model("a"), fake_model("b", seed=1, size=40)]
    for protocol, count in (("canonical", 1), ("published", 2)):
        table = bench.run(models, "imagenet", data=data, out=tmp_path / protocol, protocol=protocol, quiet=True)
        assert table["protocol"].nunique() == count


def test_markdown_and_latex_hold_hostile_names(data: Path, tmp_path: Path) -> None:
    bench.run(fake_model("a|b_&%"), "imagenet", data=data, out=tmp_path, quiet=True)
    board = leaderboard(tmp_path)
    assert "a\\|b_&%" in to_markdown(board)
    assert "\\_\\&\\%" in to_latex(board)
