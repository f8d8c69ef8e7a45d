"""`--log`: a tracker is told what the results folder holds; each is read back by its own reader, offline."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench import tracking
from bench.cli import main
from bench.errors import StoreError, UsageError
from bench.figures import FIGURES

BY_NAME = {spec.name: spec for spec in FIGURES}


class Told:
    """A tracker that keeps what it is told."""

    last: "Told"

    def __init__(self, run: str, config: dict[str, Any]) -> None:
        self.run, self.config, self.open = run, config, True
        self.numbers: dict[str, list[float]] = {}
        self.tables: dict[str, pd.DataFrame] = {}
        self.figures: list[str] = []
        Told.last = self

    def number(self, name: str, value: float, step: int) -> None:
        assert self.open
        assert step >= 0
        self.numbers.setdefault(name, []).append(value)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        self.tables[name] = frame

    def figure(self, name: str, figure: object) -> None:  # noqa: ARG002
        self.figures.append(name)

    def close(self) -> None:
        self.open = False


@pytest.fixture(autouse=True)
def _few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that these runs measure and one that they do not: drawing all takes a minute."""
    monkeypatch.setattr("bench.figures.FIGURES", [BY_NAME["nofrost-budgets"], BY_NAME["sat-activation-scatter"]])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> type[Told]:
    monkeypatch.setitem(tracking.TRACKERS, "wandb", Told)  # type: ignore[arg-type]
    return Told


def test_a_tracker_hears_progress_numbers_and_figures(told: type[Told], tmp_path: Path) -> None:
    models = ["tiny_at", "tiny_sat_silu"]
    table = bench.run(models, "tiny-pgd", limit=4, reliability=0, out=tmp_path, quiet=True, log="wandb")
    heard = told.last
    assert heard.run == "tiny_at+tiny_sat_silu-tiny-pgd"
    assert heard.config["limit"] == 4
    progress = heard.numbers["progress/images"]
    assert progress == sorted(progress)
    assert progress[-1] == 4 * 2 * 2
    assert heard.numbers["progress/share"][-1] == 1
    row = table[(table["model"] == "tiny_at") & (table["metric"] == "robust_accuracy")].iloc[0]
    assert heard.numbers["tiny_at/tiny-pgd/robust_accuracy"] == [row["value"]]
    assert heard.numbers["tiny_at/tiny-pgd/robust_accuracy_low"] == [row["low"]]
    pd.testing.assert_frame_equal(heard.tables["results"], table)
    assert heard.figures == ["sat-activation-scatter"]
    assert not heard.open


def test_a_finished_run_is_told_again_and_changes_nothing(told: type[Told], tmp_path: Path) -> None:
    command = ["run", "--model", "tiny_at", "--suite", "tiny", "--limit", "4", "--out", str(tmp_path), "--quiet"]
    assert main([*command, "--log", "wandb"]) == 0
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert main([*command, "--log", "wandb"]) == 0
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before
    assert "progress/images" not in told.last.numbers
    assert told.last.numbers["tiny_at/tiny/accuracy_n"] == [4]
    assert len(list((tmp_path / "runs").iterdir())) == 1, "where a run is told to is no part of what it measures"


def test_what_was_measured_is_told_even_where_a_model_fails(told: type[Told], tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "import torch\nclass Bad(torch.nn.Module):\n    def forward(self, x):\n        raise ValueError('no')\n"
        "def make():\n    return Bad()\n"
    )
    bad = f"file:{tmp_path / 'bad.py'}:make?size=32&classes=10&mean=0,0,0&std=1,1,1&dataset=tiny"
    assert main(["run", "--model", f"{bad},tiny_at", "--suite", "tiny", "--limit", "4", "--out", str(tmp_path / "runs"),
                 "--quiet", "--log", "wandb"]) == 3  # fmt: skip
    assert told.last.numbers["tiny_at/tiny/accuracy_n"] == [4]
    assert not told.last.open


@pytest.mark.parametrize("where", ["number", "table", "figure", "close"])
def test_a_tracker_that_fails_is_said_once_and_costs_no_number(
    where: str, told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise ConnectionError("the service is\x1b[31m away")

    monkeypatch.setattr(told, where, fails)
    table = bench.run("tiny_at", "tiny-pgd", limit=4, reliability=0, out=tmp_path / "a", quiet=True, log="wandb")
    err = capsys.readouterr().err
    assert err.count("--log wandb failed") == 1
    assert "ConnectionError: the service is\\x1b[31m away" in err
    plain = bench.run("tiny_at", "tiny-pgd", limit=4, reliability=0, out=tmp_path / "b", quiet=True)
    pd.testing.assert_frame_equal(table, plain)


def test_a_tracker_that_fails_does_not_hide_what_failed_in_the_run(
    told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ConnectionError("away")

    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(told, "table", fails)
    monkeypatch.setattr(tracking, "carry_out", full)
    with pytest.raises(StoreError, match="the disk is full"):
        bench.run("tiny_at", "tiny", limit=4, out=tmp_path, quiet=True, log="wandb")


def test_nothing_is_sent_after_ctrl_c(told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    bench.run("tiny_at", "tiny", limit=4, out=tmp_path, quiet=True)
    monkeypatch.setattr(tracking, "carry_out", stopped)
    with pytest.raises(KeyboardInterrupt):
        bench.run("tiny_at", "tiny", limit=4, out=tmp_path, quiet=True, log="wandb")
    assert told.last.tables == {}
    assert not told.last.open


def test_a_tracker_that_cannot_start_is_an_error_before_anything_is_measured(
    told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no API key")

    monkeypatch.setattr(told, "__init__", fails)
    with pytest.raises(UsageError, match="--log wandb did not start: ValueError: no API key"):
        bench.run("tiny_at", "tiny", limit=4, out=tmp_path, quiet=True, log="wandb")
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_tracker_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(tracking, "import_module", absent)
    with pytest.raises(UsageError, match="pip install mlflow-skinny"):
        bench.run("tiny_at", "tiny", limit=2, out=tmp_path, quiet=True, log="mlflow")
    assert not (tmp_path / "runs").exists()


def test_tensorboard_reads_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_DIR", str(tmp_path / "tb"))
    table = bench.run(
        "tiny_at", "tiny-pgd", limit=4, reliability=0, out=tmp_path / "runs", quiet=True, log="tensorboard"
    )
    (folder,) = (tmp_path / "tb").iterdir()
    found = EventAccumulator(str(folder))
    found.Reload()
    (event,) = found.Scalars("tiny_at/tiny-pgd/clean_accuracy")
    expected = table.set_index("metric").loc["clean_accuracy", "value"]
    assert math.isclose(event.value, expected, rel_tol=1e-6)
    assert "results/text_summary" in found.Tags()["tensors"]


def test_wandb_offline_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    bench.run("tiny_at", "tiny", limit=4, out=tmp_path / "runs", quiet=True, log="wandb")
    (log,) = tmp_path.rglob("run-*.wandb")
    assert b"tiny_at/tiny/accuracy" in log.read_bytes()


def test_mlflow_reads_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "ml").as_uri())
    table = bench.run("tiny_at", "tiny", limit=4, out=tmp_path / "runs", quiet=True, log="mlflow")
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name == tracking.TITLE]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics["tiny_at/tiny/accuracy"] == table.set_index("condition").loc["all", "value"]
    text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/results.csv")
    assert text.splitlines()[0].startswith("model,suite,condition")
