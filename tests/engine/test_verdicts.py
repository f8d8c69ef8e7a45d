"""The verdict on a robust accuracy is made once, stored beside the records, and shown with the number."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import bench
from bench.attacks import reliability
from bench.board.leaderboard import readable
from bench.engine import reliability as engine_reliability
from bench.engine.batches import Batch
from bench.engine.pictures import Unread
from bench.engine.run import prepare
from bench.errors import UsageError
from bench.store import Store
from bench.terminal import print_results, rows
from bench.testing import fake_model
from bench.verdict import read_verdict
from model_zoo.model import Model
from tests.conftest import ShortChecks

PGD = {"eps": "8/255", "steps": 2, "step_size": "4/255", "quiet": True}


SHORTEST = {"short": 4, "long": 10, "queries": 20, "targeted": 5}


@pytest.fixture(autouse=True)
def short_attacks(short_checks: ShortChecks) -> Iterator[None]:
    with short_checks(**SHORTEST):
        yield


def says_always(target: int, name: str = "constant") -> Model:
    """A model whose answer nothing changes, and whose cross-entropy has no gradient where it is right."""
    model = fake_model(name)
    with torch.no_grad():
        model.net[-1].bias[target] += 1e4
    return model


def verdict_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("cells/*/reliability.json"))


def row(frame: pd.DataFrame, metric: str, condition: str = "all") -> pd.Series:
    return frame[(frame["metric"] == metric) & (frame["condition"] == condition)].iloc[0]


@pytest.fixture(scope="module")
def kept(imagenet: Path, tmp_path_factory: pytest.TempPathFactory, short_checks: ShortChecks) -> Path:
    """The results of the constant model, for those who only look at them."""
    directory = tmp_path_factory.mktemp("constant")
    with short_checks(**SHORTEST):
        bench.run(says_always(0), "pgd", data=imagenet, out=directory, **PGD)
    return directory


@pytest.fixture
def directory(kept: Path, tmp_path: Path) -> Path:
    """A copy of them, to be changed."""
    return shutil.copytree(kept, tmp_path / "copy")


def test_a_model_without_gradients_is_unreliable_in_every_table(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    constant = bench.results(kept)
    (file,) = verdict_files(kept)
    stored = json.loads(file.read_text("utf-8"))
    assert (stored["level"], stored["sample"], stored["eps"], stored["norm"]) == ("unreliable", 32, "8/255", "linf")
    assert "100.0% of the gradients are zero or not finite" in stored["because"]
    assert row(constant, "robust_accuracy")["value"] == pytest.approx(1 / 6)
    assert row(constant, "robust_accuracy")["reliability"] == "unreliable"
    assert "gradients are zero" in row(constant, "robust_accuracy")["because"]
    assert row(constant, "clean_accuracy")["reliability"] == ""
    assert row(constant, "accuracy", "imagenet/clean")["reliability"] == ""
    board = bench.leaderboard(kept)
    assert board["pgd_reliability"].tolist() == ["unreliable"]
    assert "pgd_reliability" in readable(board)
    assert any("constant, pgd: unreliable, because" in note for note in board.attrs["notes"])
    print_results(rows(constant), constant.remarks())
    assert "unreliable: constant, pgd: " in capsys.readouterr().out


def test_a_verdict_that_stands_is_not_made_again(
    directory: Path, imagenet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: object, **_options: object) -> None:
        raise AssertionError("assessed again")

    monkeypatch.setattr(reliability, "assess", never)
    before = bench.results(directory)
    assert bench.run(says_always(0), "pgd", data=imagenet, out=directory, **PGD).equals(before)


def test_nothing_right_is_nothing_to_assess(imagenet: Path, tmp_path: Path) -> None:
    table = bench.run(says_always(500), "pgd", data=imagenet, out=tmp_path, **PGD)
    assert row(table, "robust_accuracy")["reliability"] == "not assessed"
    assert "wrong on all 32 images" in row(table, "robust_accuracy")["because"]


def test_it_can_be_left_out_and_made_later(imagenet: Path, tmp_path: Path) -> None:
    table = bench.run(says_always(0), "pgd", data=imagenet, out=tmp_path, reliability=0, **PGD)
    assert verdict_files(tmp_path) == []
    assert set(table["reliability"]) == {""}
    later = bench.run(says_always(0), "pgd", data=imagenet, out=tmp_path, reliability=12, **PGD)
    assert json.loads(verdict_files(tmp_path)[0].read_text("utf-8"))["sample"] == 12
    assert row(later, "robust_accuracy")["value"] == row(table, "robust_accuracy")["value"]


def test_every_verdict_is_made_by_one_shard(imagenet: Path, tmp_path: Path) -> None:
    budgets = {**PGD, "eps": "4/255,8/255"}
    for i in (1, 2):
        bench.run(says_always(0), "pgd", data=imagenet, out=tmp_path / str(i), shard=f"{i}/2", **budgets)
    first, second = (verdict_files(tmp_path / str(i)) for i in (1, 2))
    assert [json.loads(file.read_text("utf-8"))["eps"] for file in (*first, *second)] == ["4/255", "8/255"]


def test_another_model_of_the_run_lends_its_examples(imagenet: Path, tmp_path: Path) -> None:
    bench.run([says_always(0), fake_model("other", seed=1)], "pgd", data=imagenet, out=tmp_path, **PGD)
    stored = [json.loads(file.read_text("utf-8")) for file in verdict_files(tmp_path)]
    assert sorted(s["surrogate"] for s in stored) == ["constant", "other"]
    (assessed,) = [s for s in stored if s["surrogate"] == "other"]
    assert "transfer" not in assessed["skipped"]
    assert {"name", "value", "level", "says"} == set(assessed["findings"][0])
    read = read_verdict(
        Store(tmp_path), next(f.parent.name for f in verdict_files(tmp_path) if '"other"' in f.read_text("utf-8"))
    )
    assert (read.level, list(read.because), read.sample) == (assessed["level"], assessed["because"], assessed["sample"])


def test_a_damaged_verdict_costs_its_own_cell_and_is_made_anew(imagenet: Path, directory: Path) -> None:
    (file,) = verdict_files(directory)
    before = file.read_bytes()
    file.write_text('{"level": "splendid", "because": []}')
    frame = bench.results(directory)
    assert any("reliability.json: damaged" in problem for problem in frame.attrs["problems"])
    assert set(frame["condition"]) == {"imagenet/clean"}  # what is not harmed is shown
    bench.run(says_always(0), "pgd", data=imagenet, out=directory, **PGD)
    assert file.read_bytes() == before


def test_a_negative_sample_is_refused(imagenet: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--reliability"):
        prepare(fake_model(), "pgd", data=imagenet, out=tmp_path, reliability=-1)


def test_the_verdict_is_on_the_pictures_that_stand_in_the_records(imagenet: Path, tmp_path: Path) -> None:
    """Steps of almost nothing leave what a real attack breaks: so many points does the number overstate."""
    model = fake_model("weak")
    right = model_labels(model, imagenet)
    weak = {**PGD, "eps": "16/255", "steps": 1, "step_size": "0.01/255"}
    table = bench.run(right, "pgd", data=imagenet, out=tmp_path, **weak)
    (stored,) = [json.loads(file.read_text("utf-8")) for file in verdict_files(tmp_path)]
    number = stored["overstatement"]
    records = bench.records(tmp_path)
    records = records[records["condition"].str.contains("/pgd-")]
    stand = records["scored"] & records["broken_by"].isna()
    assert number["standing"] == pytest.approx(stand.mean())
    assert number["images"] == min(int(stand.sum()), 32)
    assert number["low"] <= number["value"] <= number["high"]
    assert row(table, "robust_accuracy")["reliability"] in ("doubtful", "unreliable")
    assert "the number overstates by" in row(table, "robust_accuracy")["because"]
    assert "-short" in table["condition"].max()


def model_labels(model: Model, imagenet: Path) -> Model:
    """The model, biased towards the first class, so that some images are right by little."""
    with torch.no_grad():
        model.net[-1].bias[0] += 0.5
    return model


def test_not_assessed_is_not_said_to_be_unbelievable(
    imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_results(
        rows(frame := bench.run(says_always(500), "pgd", data=imagenet, out=tmp_path, **PGD)), frame.remarks()
    )
    shown = capsys.readouterr().out
    assert "not assessed: constant, pgd: " in shown
    assert "unreliable: " not in shown


def test_a_verdict_waits_for_the_last_unit_of_its_cell(imagenet: Path, tmp_path: Path) -> None:
    """Of a run that goes on, too: the records of the first are looked at with those of the second."""
    options = {**PGD, "data": imagenet, "out": tmp_path}
    bench.run(says_always(0), "pgd", reliability=0, shard="1/2", **options)
    bench.run(says_always(0), "pgd", **options)
    stored = json.loads(verdict_files(tmp_path)[0].read_text("utf-8"))
    assert stored["overstatement"]["standing"] == pytest.approx(1 / 6)
    assert stored["overstatement"]["images"] == 6


def test_standing_pictures_that_cannot_be_read_again_are_no_proof(
    imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixed sample is attacked again in their place: "no image survives" would say that the number is right."""
    options = {**PGD, "data": imagenet, "out": tmp_path}
    bench.run(says_always(0), "pgd", reliability=0, **options)
    read = engine_reliability.read_sample

    def loses_them(session: Any, dataset: Any, setup: Any, indices: list[int], spec: Any) -> Batch:
        batch = read(session, dataset, setup, indices, spec)
        lost = len(indices) == 6  # those that stand
        return replace(batch, contents=[Unread("the disk is gone")] * 6) if lost else batch

    monkeypatch.setattr(engine_reliability, "read_sample", loses_them)
    bench.run(says_always(0), "pgd", **options)
    number = json.loads(verdict_files(tmp_path)[0].read_text("utf-8"))["overstatement"]
    assert number["images"] > 0
