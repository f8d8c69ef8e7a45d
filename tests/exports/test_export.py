"""What is exported is read back by the library that it is for, and says what `bench results` says."""

import math
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard, ModelCardData

import bench
from bench.cli import main
from bench.errors import UsageError
from bench.exports.model_card import _metric_name
from bench.folder.reader import ResultsFolder
from bench.parts import part_names, replace_part
from bench.store import Store
from bench.testing import write_results
from bench.verdict import Verdict, put_verdict


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "runs"
    bench.run(["tiny_std", "tiny_at"], "tiny-pgd", limit=8, reliability=0, out=out, quiet=True)
    bench.run("tiny_at", "tiny", limit=6, out=out, quiet=True)
    return out


def test_a_model_card_says_every_number_of_results(runs: Path, tmp_path: Path) -> None:
    written = bench.export(runs, "hf-model-card", tmp_path)
    assert [path.name for path in written.files] == ["tiny_at.md", "tiny_std.md"]
    assert written.problems == ()
    data = ModelCard.load(tmp_path / "tiny_at.md").data
    assert isinstance(data, ModelCardData)
    assert data.eval_results is not None
    table = bench.results(runs)
    expected = {
        (row["condition"], row["metric"], row["protocol"]): (row["value"], row["low"], row["high"], row["n"])
        for row in table[table["model"] == "tiny_at"].to_dict("records")
    }
    told = {}
    for found in data.eval_results:
        args = found.metric_args or {}
        condition = "all" if "all conditions" in str(found.dataset_config) else found.dataset_config
        numbers = (found.metric_value, args["low"], args["high"], args["n"])
        told[condition, found.metric_type, found.dataset_revision] = numbers
    assert told == expected


def test_a_doubtful_number_is_named_so(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs, tmp_path / "runs")
    for cell_id, cell in ResultsFolder(folder).cells.items():
        if "pgd" in cell.protocol.condition and cell.model == "tiny_at":
            put_verdict(Store(folder), cell_id, Verdict("unreliable", ("zero gradients",)))
    bench.export(folder, "hf-model-card", tmp_path / "cards", models=["tiny_at"])
    text = (tmp_path / "cards" / "tiny_at.md").read_text(encoding="utf-8")
    assert "robust_accuracy (unreliable; limit 8 of 2000 images" in text


@pytest.mark.parametrize("to", ["hf-model-card", "datasets"])
def test_what_has_no_number_is_named(to: str, tmp_path: Path) -> None:
    for name, accuracy in (("ResNet50", 0.7), ("resnet50", 0.6), ("nothing", math.nan)):
        write_results(tmp_path / "runs", name, {"imagenet": {"imagenet/clean": accuracy}}, n=20)
    found = bench.export(tmp_path / "runs", to, tmp_path / "out")
    assert found.problems == ("nothing, imagenet: no accuracy: no image was scored",)
    names = [path.name.casefold() for path in found.files]
    assert len(set(names)) == len(names), "one name where upper and lower case are one"


def test_a_data_set_holds_every_record_once(runs: Path, tmp_path: Path) -> None:
    bench.export(runs, "datasets", tmp_path / "set")
    files = sorted((tmp_path / "set" / "records").glob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    assert len({str(table.schema) for table in tables}) == 1, "datasets asks for one schema"
    keys = ["model", "condition", "protocol", "image_id"]
    whole = pd.concat([table.to_pandas() for table in tables]).sort_values(keys, ignore_index=True)
    expected = bench.records(runs).sort_values(keys, ignore_index=True)
    for name in (*keys, "suite", "prediction", "scored", "margin", "broken_by"):
        pd.testing.assert_series_equal(whole[name], expected[name], check_dtype=False, check_categorical=False)
    numbers = pq.read_table(tmp_path / "set" / "results.parquet").to_pandas()
    pd.testing.assert_frame_equal(bench.results(runs), numbers, check_dtype=False)


def test_a_data_set_s_records_are_those_that_are_stored(runs: Path, tmp_path: Path) -> None:
    """Value by value: a margin that is no number is not one that is not there."""
    folder = ResultsFolder(shutil.copytree(runs, tmp_path / "runs"))
    cell_id = next(iter(folder.cells))
    ((unit, name),) = part_names(folder.store, cell_id).items()
    records = folder.load(cell_id).table
    margin = pa.array([float("nan"), None, *records.column("margin").to_pylist()[2:]], pa.float32())
    place = records.column_names.index("margin")
    replace_part(
        folder.store, folder.cells[cell_id], unit, name, records.set_column(place, records.field(place), margin)
    )
    bench.export(tmp_path / "runs", "datasets", tmp_path / "set")
    for each in folder.cells:
        found = pq.read_table(tmp_path / "set" / "records" / f"{each}.parquet")
        stored = folder.load(each).table
        for column in stored.column_names:
            assert str(found.column(column).to_pylist()) == str(stored.column(column).to_pylist())
        assert found.schema.names[:4] == ["model", "suite", "condition", "protocol"]


@pytest.mark.parametrize(
    ("reliability", "subset", "named"),
    [
        ("", "", "accuracy"),
        ("reliable", "", "accuracy"),
        ("doubtful", "", "accuracy (doubtful)"),
        ("reliable", "limit 8; until ()", "accuracy (limit 8; until ())"),
        ("doubtful", "limit 8", "accuracy (doubtful; limit 8)"),
    ],
)
def test_a_metric_is_named_with_what_keeps_it_from_being_believed(reliability: str, subset: str, named: str) -> None:
    assert _metric_name({"metric": "accuracy", "reliability": reliability, "subset": subset}) == named


def test_names_of_models_are_those_of_a_run(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A comma within a `file:` name's options parts no names."""
    asked = "tiny_at,file:net.py:make?mean=0.5,0.5,0.5"
    assert main(["export", str(runs), "--to", "datasets", "--out", str(tmp_path / "a"), "--models", asked]) == 2
    assert "no results of 'file:net.py:make?mean=0.5,0.5,0.5'" in capsys.readouterr().err


def test_the_library_itself_reads_it(runs: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    bench.export(runs, "datasets", tmp_path / "set", models=["tiny_std"])
    records = datasets.load_dataset(str(tmp_path / "set"), "records", split="test", cache_dir=str(tmp_path / "cache"))
    assert set(records["model"]) == {"tiny_std"}
    assert len(records) == 16
    results = datasets.load_dataset(str(tmp_path / "set"), "results", split="test", cache_dir=str(tmp_path / "cache"))
    assert len(results) == (bench.results(runs)["model"] == "tiny_std").sum()


def test_the_command(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(runs), "--to", "datasets", "--out", str(tmp_path / "a"), "--models", "tiny_at"]) == 0
    assert str(tmp_path / "a" / "README.md") in capsys.readouterr().out
    assert main(["export", str(runs), "--to", "datasets", "--out", str(tmp_path / "a")]) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err
    assert main(["export", str(runs), "--to", "hf-model-card", "--out", str(tmp_path), "--models", "tiny_ta"]) == 2
    assert "did you mean tiny_at" in capsys.readouterr().err


def test_what_is_incomplete_is_left_out_and_told(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(runs, tmp_path / "runs")
    next(folder.glob("cells/*/*.parquet")).unlink()
    for form in ("datasets", "hf-model-card"):
        assert main(["export", str(folder), "--to", form, "--out", str(tmp_path / form)]) == 3
        assert "left out" in capsys.readouterr().err
    left = pd.concat([pq.read_table(f).to_pandas() for f in (tmp_path / "datasets" / "records").glob("*.parquet")])
    assert len(left) < len(bench.records(runs))


def test_an_unknown_form(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hf-model-card or datasets"):
        bench.export(runs, "excel", tmp_path)
