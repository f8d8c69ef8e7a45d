"""`bench compare` on records that a run has made."""

from pathlib import Path

import pytest

import bench
from bench.cli import main
from bench.errors import UsageError
from bench.metrics.accuracy import accuracy
from bench.reports.compare import compare_models
from bench.testing import fake_model, write_pictures

WNIDS = ("n01440764", "n02123045", "n15075141")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compare")
    data = write_pictures(root / "data", WNIDS, 4)
    bench.run([fake_model("a"), fake_model("b", seed=1)], "imagenet", data=data, out=root / "runs", quiet=True)
    bench.run(fake_model("c", seed=2), "imagenet", data=data, out=root / "runs", limit=5, quiet=True)
    return root / "runs"


def test_the_difference_is_that_of_the_accuracies(runs: Path) -> None:
    records = bench.records(runs)
    a, b = (accuracy(records[records["model"] == name]).value for name in ("a", "b"))
    row = compare_models("a", "b", runs).table.iloc[0]
    assert row["difference"] == pytest.approx(a - b)
    assert row["n"] == 12


def test_unlike_protocols_are_refused_with_the_difference(runs: Path) -> None:
    with pytest.raises(UsageError, match=r"manifest .* against .*images 12 against 5"):
        compare_models("a", "c", runs)


def test_unknown_models_are_named(runs: Path) -> None:
    with pytest.raises(UsageError, match="unknown model 'aa'"):
        compare_models("aa", "b", runs)


def test_the_command_prints_and_writes_the_images(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "a", "b", str(runs), "--images", str(tmp_path / "images.csv")]) == 0
    assert "imagenet/clean" in capsys.readouterr().out
    assert (tmp_path / "images.csv").read_text().startswith("image_id,label,prediction_a,prediction_b,condition")
