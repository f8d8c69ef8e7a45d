"""`--random-weights`: a network runs before its weights come, and nobody takes its number for one."""

from pathlib import Path

import pytest
import torch

import bench
from bench.cli import main
from bench.errors import UsageError
from bench.testing import fake_model
from model_zoo.errors import UnknownModelError, WeightsError
from model_zoo.load import load_model
from model_zoo.registry import find_card


def test_the_same_numbers_every_time_and_nobody_s_generator_moved() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, two = load_model("random:tiny_mbn@adv"), load_model("random:tiny_mbn@adv")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.name == "random:tiny_mbn@adv"
    assert one.identity().exact == two.identity().exact != load_model("tiny_mbn@adv").identity().exact


@pytest.mark.parametrize("name", ["sat_resnet50", "torchvision:squeezenet1_1", "timm:test_resnet.r160_in1k"])
def test_a_network_whose_weights_are_not_here_is_built(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    model = load_model(f"random:{name}")
    assert model(torch.rand(1, 3, 64, 64)).isfinite().all()
    assert find_card(f"random:{name}").reported == ()


def test_its_numbers_are_labelled_and_on_no_leaderboard(tmp_path: Path) -> None:
    bench.run("tiny_std", "tiny", limit=20, out=tmp_path, quiet=True)
    bench.run("tiny_std,tiny_at", "tiny", limit=20, out=tmp_path, quiet=True, random_weights=True)
    assert set(bench.results(tmp_path)["model"]) == {"tiny_std", "random:tiny_std", "random:tiny_at"}
    board = bench.leaderboard(tmp_path)
    assert list(board["model"]) == ["tiny_std"]
    assert any("random:tiny_at: random weights, on no leaderboard" in note for note in board.attrs["notes"])


def test_the_command_line_has_it_and_the_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path), "--limit", "8"]
    assert main(["run", "--model", "tiny_at", "--suite", "tiny", "--random-weights", *out]) == 0
    assert "random:tiny_at" in capsys.readouterr().out


def test_what_has_weights_is_not_given_others(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fake has its weights already"):
        bench.run(fake_model(), "imagenet", out=tmp_path, random_weights=True, quiet=True)
    with pytest.raises(WeightsError, match="its weights are random: leave out --weights"):
        bench.run("tiny_at", "tiny", out=tmp_path, random_weights=True, weights="w.pth", quiet=True)
    with pytest.raises(UnknownModelError, match="unknown model 'tiny_nobody'"):
        find_card("random:tiny_nobody")


def test_a_folder_of_nothing_else_has_no_leaderboard(tmp_path: Path) -> None:
    bench.run("tiny_at", "tiny", limit=8, out=tmp_path, random_weights=True, quiet=True)
    assert bench.leaderboard(tmp_path).empty
