"""A paper in one command: its steps from fields and figures, its cost from the networks, its faults one by one."""

import time
from pathlib import Path

import pytest
import torch

import bench
from bench.attacks.presets import make_pgd
from bench.cli import build_parser, main
from bench.errors import UsageError
from bench.figures import FIGURES
from bench.figures.flops import flops_of_card
from bench.reproduce import cost, reproduce
from bench.reproduce.cost import passes
from bench.reproduce.steps import PAPERS, Step, steps
from bench.suites.base import Setup
from model_zoo.registry import find_card


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("real", [True, False])
def test_every_step_can_be_typed(paper: str, real: bool) -> None:
    found = steps(paper, real=real)
    assert found
    for step in found:
        build_parser().parse_args(str(step).replace("--targeted True", "--targeted").split()[1:])
        assert all(find_card(name) for name in step.models)
        assert all((find_card(name).room == "tiny") != real for name in step.models)
    assert any(spec.name.startswith(f"{paper}-") for spec in FIGURES)


def test_the_papers_own_attacks_are_among_the_steps() -> None:
    pgd = {s.options["steps"]: s for s in steps("sat", real=True) if s.suite == "pgd"}
    assert set(pgd) == {10, 20, 50, 200}
    assert {s.options["eps"] for s in pgd.values()} == {"4/255"}
    assert "sat_efficientnet_b0" in pgd[10].models
    (last,) = (s for s in steps("intriguing", real=True) if s.options.get("steps") == 2000)
    assert (last.options["eps"], last.options["targeted"]) == ("16/255", True)
    assert "intriguing_resnet152" in last.models
    assert "resnet152" not in last.models, "the undefended rival is not attacked 2,000 steps long"


def test_models_keep_the_steps_to_themselves() -> None:
    found = steps("advprop", real=True, models=["efficientnet_b0_autoaugment", "advprop_efficientnet_b0"])
    assert {name for step in found for name in step.models} == {
        "efficientnet_b0_autoaugment",
        "advprop_efficientnet_b0",
    }
    with pytest.raises(UsageError, match=r"unknown paper 'sad' .did you mean sat"):
        steps("sad", real=True)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_limit_holds_for_the_tiny_runs_with_a_limit_of_their_own(paper: str) -> None:
    assert {step.options["limit"] for step in steps(paper, real=False, limit=4)} == {4}


@pytest.mark.parametrize(("asked", "limits"), [(20, {20}), (5000, {1000, 5000})])
def test_a_limit_is_never_raised(asked: int, limits: set[int]) -> None:
    """NoFrost's diagnostics look at 1,000 images."""
    found = steps("nofrost", real=True, limit=asked)
    assert {step.options["limit"] for step in found} == limits
    assert {step.options.get("limit") for step in steps("nofrost", real=True)} == {None, 1000}


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_models_of_which_a_paper_has_no_run_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert main(["reproduce", "sat", "--models", "resnet50", "--out", str(tmp_path / "out"), *more]) == 2
    assert "sat: no run of it is of resnet50; it has runs of tiny_" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_networks_without_weights_are_labelled_and_not_ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [Step(("tiny_at", "tiny_mix"), "tiny", {"limit": 20})]
    monkeypatch.setattr("bench.reproduce.paper.steps", lambda *_args, **_named: few)
    monkeypatch.setattr("bench.reproduce.paper.FIGURES", ())
    reproduce("intriguing", tmp_path, random_weights=True)
    runs = tmp_path / "intriguing" / "runs"
    assert set(bench.results(runs)["model"]) == {"random:tiny_at", "random:tiny_mix"}
    assert bench.leaderboard(runs).empty
    assert "random" not in (tmp_path / "intriguing" / "report" / "index.html").read_text("utf-8").split("<tbody")[1]


def test_passes_grow_with_steps_and_restarts() -> None:
    assert passes(Setup("tiny")) == 1
    pgd = Setup("tiny", attack=make_pgd("linf", 8 / 255, 10, None, 2, False))  # type: ignore[arg-type]
    assert passes(pgd) == 1 + 10 * 2 * 3


class SlowAtFirst(torch.nn.Module):
    """As a network is whose code is compiled at first use, or beside other work."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        time.sleep(0.3 if self.calls < 4 else 0.001)
        return images


def test_slow_passes_do_not_set_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "build", lambda _card: SlowAtFirst())
    macs = flops_of_card(find_card("tiny_at"))
    assert macs
    assert cost._rate("tiny_at") > 64 * macs / 0.1


def test_a_dry_run_says_what_is_missing_and_measures_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["reproduce", "nofrost", "--data", str(tmp_path), "--models", "nofrost_resnet50", "--dry-run"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "missing weights: nofrost_resnet50: its weights are missing" in text
    assert "missing: " in text
    assert "in all about" in text
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--random-weights"]) == 0
    assert "missing weights" not in capsys.readouterr().out


def test_the_tiny_zoo_goes_the_whole_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [Step(("tiny_at", "tiny_mix"), "tiny-pgd", {"limit": 4, "reliability": 0}), Step(("tiny_gone",), "tiny", {})]
    monkeypatch.setattr("bench.reproduce.paper.steps", lambda *_args, **_named: few)
    monkeypatch.setattr(
        "bench.reproduce.paper.FIGURES", tuple(s for s in FIGURES if s.name == "intriguing-clean-share")
    )
    assert main(["reproduce", "intriguing", "--out", str(tmp_path)]) == 3
    text = capsys.readouterr().out
    assert "missing: unknown model 'tiny_gone'" in text
    assert (tmp_path / "intriguing" / "figures" / "intriguing-clean-share.png").is_file()
    assert (tmp_path / "intriguing" / "report" / "index.html").is_file()
