"""`--until`: a run stops when it knows enough, says so, and its folder is complete."""

import itertools
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import bench
from bench.engine.reliability import ReliabilityCheck
from bench.engine.work import Done
from bench.engine.writers import Writers
from bench.errors import UsageError
from bench.verdict import Verdict


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that stopped at eight points."""
    out = tmp_path_factory.mktemp("until")
    bench.run("tiny_std", "tiny", out=out, until=8, quiet=True)
    return out


def test_a_condition_stops_when_its_interval_is_narrow_enough(stopped: Path) -> None:
    frame = bench.results(stopped)
    assert not frame.attrs["problems"]
    row = frame[frame["condition"] == "all"].iloc[0]
    assert row["n"] % 200 == 0
    assert 0 < row["n"] < 2000
    assert (row["high"] - row["low"]) / 2 <= 0.08
    assert "until 8 points" in row["subset"]
    condition = frame[frame["condition"] == "tiny/clean"].iloc[0]
    assert (condition["low"], condition["high"]) == (row["low"], row["high"])


def test_the_same_command_again_measures_nothing(stopped: Path) -> None:
    from bench.engine.run import prepare

    assert prepare("tiny_std", "tiny", out=stopped, until=8).todo == []


def test_a_narrower_rule_is_another_cell(stopped: Path) -> None:
    from bench.engine.run import prepare

    assert len(prepare("tiny_std", "tiny", out=stopped, until=4).todo) == 10


def test_a_part_that_was_taken_away_leaves_the_folder_incomplete(stopped: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(stopped, tmp_path / "copy")
    sorted(copy.rglob("*.parquet"))[-1].unlink()
    assert bench.results(copy).attrs["problems"]


@pytest.mark.parametrize(
    ("suite", "given", "message"),
    [
        ("batchnorm", {}, "mean over images"),
        ("tiny", {"shard": "1/2"}, "leave out --shard"),
        ("tiny", {"until": 0}, "above 0"),
    ],
)
def test_what_cannot_be_stopped_is_refused(tmp_path: Path, suite: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bench.run("tiny_std", suite, out=tmp_path, **({"until": 5} | given))  # type: ignore[arg-type]


def test_a_verdict_waits_for_the_part_on_which_its_condition_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing beside the work, as many workers do, each write slower than the one before."""
    checks: list[ReliabilityCheck] = []

    def assess(_session: object, _subjects: object, check: ReliabilityCheck) -> Verdict:
        checks.append(check)
        return Verdict("reliable", (), "2/255", "linf", 1)

    def beside(write: Callable[[Done], None], _count: int) -> Writers:
        begun = itertools.count(1)
        return Writers(lambda done: (time.sleep(0.05 * next(begun)), write(done))[1], 16)

    monkeypatch.setattr("bench.engine.run.Writers", beside)
    monkeypatch.setattr("bench.engine.work.assess_cell", assess)
    attack = {"eps": "2/255", "steps": 1, "step_size": "2/255", "reliability": 2000}
    bench.run("tiny_at", "pgd", dataset="tiny", out=tmp_path, until=6, quiet=True, **attack)
    records = bench.records(tmp_path)
    mine = records[records["condition"].str.contains("pgd") & records["scored"]]
    assert 100 < len(mine) < 2000, "it stopped, and not at once"
    (check,) = checks
    assert len(check.standing or ()) == int(mine["broken_by"].isna().sum())
