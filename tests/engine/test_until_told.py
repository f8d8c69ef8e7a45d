"""`--until-told A,B`: a run of two models stops when it knows who is better, says so, and its folder is complete."""

import shutil
from pathlib import Path

import pytest

import bench
from bench.cli import main
from bench.errors import UsageError
from bench.folder.compare import compare_models
from bench.folder.reader import ResultsFolder

PAIR = ("tiny_std", "tiny_at")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that told two models apart."""
    out = tmp_path_factory.mktemp("told")
    bench.run(PAIR, "tiny", out=out, until_told=PAIR, quiet=True)
    return out


def test_both_stop_at_the_same_picture_when_they_are_told_apart(told: Path) -> None:
    frame = bench.results(told)
    assert not frame.attrs["problems"]
    rows = frame[frame["condition"] == "tiny/clean"]
    assert len(set(rows["n"])) == 1
    assert 0 < rows["n"].iloc[0] < 2000
    assert rows["subset"].str.contains("until tiny_std and tiny_at are told apart or within 1 points").all()
    overall = frame[frame["condition"] == "all"]
    assert set(zip(overall["low"], overall["high"], strict=True)) == set(zip(rows["low"], rows["high"], strict=True))


def test_compare_has_the_interval_that_stopped_them(told: Path) -> None:
    row = compare_models(*PAIR, told).table.iloc[0]
    assert row["low"] > 0 or row["high"] < 0
    assert row["p"] <= 0.05
    assert row["p_holm"] == pytest.approx(row["p"])
    assert row["low"] <= row["difference"] <= row["high"]


def test_a_page_ranks_nobody_by_tests_of_a_fixed_sample(told: Path) -> None:
    from bench.folder.survey import survey

    assert not survey(told).shares


def test_the_same_command_again_measures_nothing(told: Path) -> None:
    from bench.engine.run import prepare

    assert prepare(PAIR, "tiny", out=told, until_told=",".join(PAIR)).todo == []


def test_a_part_that_was_taken_away_from_either_leaves_both_incomplete(told: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(told, tmp_path / "copy")
    sorted(copy.rglob("*.parquet"))[0].unlink()
    folder = ResultsFolder(str(copy))
    assert all(folder.load(cell_id).problems for cell_id in folder.cells)


def test_a_model_that_cannot_be_loaded_costs_its_own_cells_alone(
    told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other is measured whole, for nobody is there to be told from; they are told apart when both are."""
    from bench.engine import asked
    from model_zoo.errors import WeightsError
    from model_zoo.model import Model

    load = asked.load_model

    def fails(name: str, **given: object) -> Model:
        if name == "tiny_at":
            raise WeightsError("tiny_at: its file is cut short")
        return load(name, **given)  # type: ignore[arg-type]

    command = ["run", "--model", ",".join(PAIR), "--suite", "tiny", "--until-told", ",".join(PAIR), "--quiet"]
    command += ["--out", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(asked, "load_model", fails)
        assert main(command) == 3
    assert "tiny_at: not measured: tiny_at: its file is cut short" in capsys.readouterr().err
    frame = bench.results(tmp_path)
    assert set(frame["model"]) == {"tiny_std"}
    assert set(frame["n"]) == {2000}
    assert main(command) == 0
    assert compare_models(*PAIR, tmp_path).table["difference"].iloc[0] == pytest.approx(
        compare_models(*PAIR, told).table["difference"].iloc[0], abs=0.2
    )


@pytest.mark.parametrize(
    ("models", "suite", "given", "message"),
    [
        ("tiny_std,tiny_at", "batchnorm", {}, "mean over images"),
        ("tiny_std,tiny_at", "tiny", {"shard": "1/2"}, "leave out --shard"),
        ("tiny_std,tiny_at", "tiny", {"until": 5}, "give one of them"),
        ("tiny_std,tiny_at,tiny_mix", "tiny", {}, "must be these two"),
        ("tiny_std,tiny_at", "tiny", {"until_told": "tiny_std"}, "names of two models"),
        ("tiny_std,tiny_at", "tiny", {"until_told": None, "gap": 2}, "--gap"),
    ],
)
def test_what_cannot_be_told_is_refused(
    tmp_path: Path, models: str, suite: str, given: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        bench.run(models, suite, out=tmp_path, **({"until_told": "tiny_std,tiny_at"} | given))  # type: ignore[arg-type]
