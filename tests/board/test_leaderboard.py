"""The leaderboard: one protocol a column, intervals beside values, what is left out is said."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.board.leaderboard import leaderboard, to_latex, to_markdown
from bench.board.site.build import write_site
from bench.errors import StoreError
from bench.figures.facts import Facts
from bench.folder.survey import survey
from bench.published.table import Published, published_table
from bench.safe_csv import to_csv
from bench.testing import fake_model, write_pictures, write_results
from bench.text import escape_unprintable
from model_zoo.reported import ReportedNumber

HOSTILE = ("<script>alert(1)</script>", "\"'`|", "模型-é-\u202e", "x" * 200, "a&amp;b", "{{7*7}}", "../../etc/passwd")
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
    (note,) = (note for note in board.attrs["notes"] if "c was measured under another protocol (" in note)
    assert note.endswith("limit 5 of 12 images) and is not shown")


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


def test_a_version_of_a_suite_is_not_tabulated_with_another(data: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        bench.run(fake_model(name, seed=ord(name)), "imagenet", data=data, out=tmp_path, quiet=True)
    for file in tmp_path.glob("runs/*/run.json"):
        manifest = json.loads(file.read_text("utf-8"))
        if "b" in manifest["models"]:
            file.write_text(json.dumps({**manifest, "suites": {"imagenet": 2}}))
    board = leaderboard(tmp_path).set_index("model")
    assert pd.isna(board.loc["a", "imagenet_accuracy"])
    assert board.loc["b", "imagenet_accuracy_n"] == 12  # the newer of two with as many models and images
    assert "a was measured by another version of the suite" in "\n".join(board.attrs["notes"])


def test_a_run_of_another_format_is_refused_and_one_cut_off_passed_over(data: Path, tmp_path: Path) -> None:
    bench.run(fake_model("a"), "imagenet", data=data, out=tmp_path, quiet=True)
    (tmp_path / "runs" / "0000").mkdir()
    assert len(leaderboard(tmp_path)) == 1
    (file,) = tmp_path.glob("runs/*/run.json")
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "format": 9}))
    with pytest.raises(StoreError, match=r"format 9; this one reads 1"):
        leaderboard(tmp_path)


def test_models_that_are_alike_share_a_rank_and_lower_errors_rank_first(data: Path, tmp_path: Path) -> None:
    board = leaderboard(_written(tmp_path, {"a": 0.9, "b": 0.89, "c": 0.2})).set_index("model")
    assert board["imagenet_accuracy_rank"].to_dict() == {"a": 1, "b": 1, "c": 3}
    assert list(board.index) == ["a", "b", "c"]
    assert to_markdown(board.reset_index()).splitlines()[2].startswith("| a | standard | fake | 1. 90.0 [")


def test_an_image_that_one_model_could_not_read_ranks_nobody(tmp_path: Path) -> None:
    board = leaderboard(_written(tmp_path, {"a": 0.9, "b": float("nan")})).set_index("model")
    assert pd.isna(board.loc["b", "imagenet_accuracy"])
    assert board.loc["b", "imagenet_accuracy_n"] == 0
    assert "imagenet_accuracy_rank" not in board


def test_a_claim_stands_beside_the_measurement_with_its_source(tmp_path: Path) -> None:
    outside = [Published("sat_resnet50", ReportedNumber("accuracy", 70.5, "results-imagenet.csv", by="timm"))]
    row = leaderboard(_written(tmp_path, {"sat_resnet50": 0.7}), outside=outside).iloc[0]
    assert row["imagenet_accuracy"] == pytest.approx(70)
    assert (row["imagenet_accuracy_claimed"], row["imagenet_accuracy_outside"]) == (69.7, 70.5)
    assert "cihangxie/SmoothAdversarialTraining" in row["imagenet_accuracy_claimed_source"]


def test_a_spreadsheet_computes_nothing(tmp_path: Path) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "a\n=1", 'quo"te,comma', "\uff1dHYPERLINK()"]
    text = to_csv(pd.DataFrame({"model": names, "value": [-1.5] * len(names), "=x": ""}))
    read = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert list(read["model"]) == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "a\n'=1", 'quo"te,comma', "'\uff1dHYPERLINK()"]
    assert list(read["value"]) == [-1.5] * len(names)
    assert list(read.columns) == ["model", "value", "'=x"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str, tmp_path: Path) -> None:
    board = leaderboard(_written(tmp_path, {name: 0.5}))
    lines = to_markdown(board).splitlines()
    assert len(lines) == 3
    assert "<script" not in lines[2]
    assert pd.read_csv(io.StringIO(to_csv(board)))["model"].str.endswith(escape_unprintable(name)).all()


def _written(folder: Path, accuracies: dict[str, float], n: int = 200) -> Path:
    """A results folder whose models have these accuracies on `imagenet/clean` (NaN: nothing could be read)."""
    for number, (name, accuracy) in enumerate(accuracies.items()):
        write_results(folder, name, {"imagenet": {"imagenet/clean": accuracy}}, n=n, seed=number)
    return folder


def test_markdown_and_latex_hold_hostile_names(data: Path, tmp_path: Path) -> None:
    bench.run(fake_model("a|b_&%"), "imagenet", data=data, out=tmp_path, quiet=True)
    board = leaderboard(tmp_path)
    assert "a\\|b_&%" in to_markdown(board)
    assert "\\_\\&\\%" in to_latex(board)


def test_a_model_called_as_in_a_paper_is_not_the_paper_s(tmp_path: Path) -> None:
    names = sorted({number.model for number in published_table() if ":" not in number.model and not number.card})
    assert "ResNet-50" in names
    board = leaderboard(_written(tmp_path, dict.fromkeys(names, 0.7), n=20))
    assert not [column for column in board if column.endswith(("_claimed", "_outside"))]


def test_a_network_from_memory_borrows_nothing_of_a_checkpoint_with_its_name(data: Path, tmp_path: Path) -> None:
    network = fake_model("sat_resnet50")
    bench.run(network, "imagenet", data=data, out=tmp_path, quiet=True)
    board = leaderboard(tmp_path)
    assert not [column for column in board if column.endswith(("_claimed", "_outside"))]
    found = survey(tmp_path)
    about = found.runs[0].about
    assert about.card("sat_resnet50") is None
    assert Facts.of("sat_resnet50", about).traits.activation != "silu"
    write_site(tmp_path, tmp_path / "site")
    (page,) = (tmp_path / "site").glob("models/sat_resnet50*.html")
    assert "SmoothAdversarialTraining" not in page.read_text(encoding="utf-8")
