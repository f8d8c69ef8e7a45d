"""The regression gate: it catches what is worse, passes what is the same, and says what it could not check."""

import copy
import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from torch import nn

from bench.cli import main
from bench.errors import MissingError, UsageError
from bench.folder.tables import results
from bench.gate.baseline import baseline_name, read_baseline
from bench.gate.check import Report, accept, check
from bench.gate.judgement import Evidence, GateFinding, Status, interval_p, judge
from bench.gate.junit import to_junit
from bench.gate.reported import affordable, claims, reported_evidence
from bench.gate.subjects import SELECTION
from bench.suites.registry import SUITES
from bench.testing import write_results
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.registry import cards, find_card
from model_zoo.reported import ReportedNumber

NAME = "tiny_at"


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean accuracy of one tiny model on all images."""
    folder = tmp_path_factory.mktemp("baseline")
    accept([NAME], baseline=folder, suites=["tiny"])
    return folder


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(NAME)


def weight_noise(model: Model) -> Model:
    """Noise of a quarter of each tensor's standard deviation."""
    changed = copy.deepcopy(model)
    draws = torch.Generator().manual_seed(0)
    for weight in changed.net.parameters():
        if weight.numel() > 1:
            weight.add_(torch.randn(weight.shape, generator=draws) * weight.std() * 0.25)
    return changed


def reset_statistics(model: Model) -> Model:
    changed = copy.deepcopy(model)
    for layer in changed.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    return changed


def wrong_mean(model: Model) -> Model:
    spec = dataclasses.replace(model.card.input, mean=(0.485, 0.456, 0.406))
    return Model(copy.deepcopy(model.net), dataclasses.replace(model.card, input=spec))


@pytest.mark.parametrize("plant", [weight_noise, reset_statistics, wrong_mean])
def test_planted_regressions_are_caught_by_the_pictures_alone(baseline: Path, model: Model, plant) -> None:
    (finding,) = check([plant(model)], baseline=baseline, hashes=False).regressed
    assert (finding.status, finding.against) == (Status.REGRESSED, "baseline")
    assert "points" in finding.evidence


@pytest.mark.parametrize(("seed", "batch_size"), [(0, 32), (7, 50), (123, 256)])
def test_the_untouched_model_passes_at_any_seed_and_batch_size(
    baseline: Path, model: Model, seed: int, batch_size: int
) -> None:
    report = check([model], baseline=baseline, seed=seed, batch_size=batch_size)
    assert {finding.status for finding in report.findings} == {Status.UNCHANGED}


def test_altered_weights_and_input_are_told_apart_from_regressions(baseline: Path, model: Model) -> None:
    touched = copy.deepcopy(model)
    next(touched.net.parameters()).view(-1)[0].add_(1e-6)
    (found,) = check([touched], baseline=baseline).regressed
    assert (found.status, found.what) == (Status.ALTERED, "weights")
    assert not check([touched], baseline=baseline, hashes=False).regressed
    altered = check([wrong_mean(model)], baseline=baseline).of(Status.ALTERED)
    assert [finding.what for finding in altered] == ["input"]
    assert "mean accepted [0.0, 0.0, 0.0], found [0.485" in altered[0].evidence


def edit(folder: Path, **changes: object) -> None:
    path = folder / baseline_name(NAME)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}))


@pytest.fixture
def copied(baseline: Path, tmp_path: Path) -> Path:
    (tmp_path / baseline_name(NAME)).write_text((baseline / baseline_name(NAME)).read_text("utf-8"))
    return tmp_path


def test_a_model_that_is_gone_is_told_and_the_others_are_checked(copied: Path) -> None:
    gone = json.loads((copied / baseline_name(NAME)).read_text("utf-8")) | {"model": "tiny_gone"}
    (copied / "tiny_gone.json").write_text(json.dumps(gone))
    report = check(baseline=copied)
    assert [(f.model, f.status) for f in report.findings] == [("tiny_gone", Status.UNCHECKED), (NAME, Status.UNCHANGED)]
    assert "tiny_gone.json is still there" in report.findings[0].evidence


def test_a_half_written_baseline_is_told(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copied / baseline_name(NAME)
    path.write_text(path.read_text("utf-8")[:300])
    assert main(["check", "--baseline", str(copied)]) == MissingError.exit_code
    assert f"{path}: not a baseline" in capsys.readouterr().out


def test_another_version_of_a_suite_is_not_compared(copied: Path) -> None:
    edit(copied, measures=[{"suite": "tiny", "version": 99, "options": {}}])
    (finding,) = check(baseline=copied).findings
    assert finding.status is Status.UNCHECKED
    assert f"accepted under version 99, this is version {SUITES['tiny'].version}" in finding.evidence


def test_another_protocol_is_not_compared(copied: Path) -> None:
    cells = json.loads((copied / baseline_name(NAME)).read_text("utf-8"))["cells"]
    cells[0]["protocol"]["preprocessing"] = "another"
    edit(copied, cells=cells)
    (finding,) = check(baseline=copied).findings
    assert finding.status is Status.UNCHECKED
    assert "preprocessing 'another' against" in finding.evidence


def test_an_empty_baseline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is accepted there"):
        check(baseline=tmp_path)


def test_the_command_answers_with_4_on_a_regression(copied: Path, tmp_path: Path, capsys) -> None:
    edit(copied, weights="0" * 64)
    junit = tmp_path / "deep" / "junit.xml"
    assert main(["check", "--baseline", str(copied), "--junit", str(junit)]) == 4
    assert "1 altered, 1 unchanged" in capsys.readouterr().err
    suite = ET.fromstring(junit.read_bytes())[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    assert main(["check", "--baseline", str(copied), "--no-hashes"]) == 0


def test_update_keeps_what_a_model_was_held_to(copied: Path, capsys) -> None:
    edit(copied, weights="0" * 64)
    (copied / "gone_model.json").write_text("{}")
    assert main(["check", "--update", "--baseline", str(copied)]) == 0
    baseline = read_baseline(copied / baseline_name(NAME))
    assert [m.suite for m in baseline.measures] == ["tiny"]
    assert baseline.weights != "0" * 64
    assert not (copied / "gone_model.json").exists()


def test_suites_go_with_update_only(copied: Path) -> None:
    assert main(["check", "--suite", "tiny", "--baseline", str(copied)]) == UsageError.exit_code


def test_the_selection_is_in_the_zoo() -> None:
    assert {name.partition("@")[0] for name in SELECTION} <= set(cards())


def test_the_committed_baseline_can_be_read() -> None:
    folder = Path(__file__).parents[2] / "results" / "baseline"
    read = [read_baseline(path) for path in folder.glob("*.json")]
    assert {b.model for b in read} == set(SELECTION)
    assert {c.suite for b in read for c in b.cells} <= set(SUITES)


def test_holm_is_over_all_evidence_and_a_number_that_is_none_is_unchecked() -> None:
    def item(difference: float, p: float) -> Evidence:
        return Evidence("m", "x", "baseline", difference, p, "")

    found = judge([item(-0.1, 0.004), item(-0.1, 0.006), item(0.1, 0.0001), item(-0.1, float("nan"))])
    statuses = [finding.status for finding in found]
    assert statuses == [Status.REGRESSED, Status.REGRESSED, Status.IMPROVED, Status.UNCHECKED]
    assert judge([item(-0.1, 0.006)] * 2)[0].status is Status.UNCHANGED


def test_an_interval_gives_the_p_of_its_own_ends() -> None:
    assert interval_p(0.5, 0.4, 0.7, 0.7) == pytest.approx(0.05, abs=1e-4)
    assert interval_p(0.5, 0.4, 0.7, 0.4) == pytest.approx(0.05, abs=1e-4)
    assert interval_p(0.5, 0.4, 0.7, 0.5) == 1


def test_the_authors_protocols_become_runs() -> None:
    found = affordable(claims(find_card("sat_resnet50")))
    assert {claim.suite for claim in found} == {"imagenet", "pgd"}
    attack = next(claim.measure for claim in found if claim.suite == "pgd" and claim.measure)
    assert attack.options == {
        "protocol": "published",
        "dataset": "imagenet",
        "eps": "4/255",
        "steps": 10,
        "step_size": "1/255",
        "targeted": False,
        "reliability": 0,
    }
    denoise = affordable(claims(find_card("intriguing_resnet152_denoise")))
    errors = next(claim for claim in denoise if claim.suite == "pgd")
    assert errors.value == pytest.approx(1 - 0.443)
    assert errors.measure
    assert (errors.measure.options["targeted"], errors.measure.options["step_size"]) == (True, "1.6/255")


def test_a_model_is_held_to_what_its_card_reports(baseline: Path, model: Model, tmp_path: Path) -> None:
    check([model], baseline=baseline, out=tmp_path)
    frame = results(tmp_path)
    row = frame[(frame["condition"] == "all") & (frame["metric"] == "accuracy")].iloc[0]

    def found(*values: float) -> list[Status]:
        numbers = tuple(
            ReportedNumber("accuracy", round(v, 2), "test", suite="tiny", protocol=row["protocol"]) for v in values
        )
        card = dataclasses.replace(model.card, reported=numbers)
        return [f.status for f in judge(reported_evidence(NAME, claims(card), {"": frame}))]

    measured = 100 * row["value"]
    assert found(measured) == [Status.UNCHANGED]
    assert found(measured + 5) == [Status.REGRESSED]
    assert found(measured - 5) == [Status.IMPROVED]
    assert found(measured + 5, measured) == [Status.UNCHANGED], "of two values the nearest counts"


def test_a_paper_s_number_is_compared_with_its_own_run_alone(tmp_path: Path) -> None:
    """A model at 20 % under its PGD-10 has not kept the 60 % that its authors report because PGD-1 leaves it 60 %."""
    write_results(tmp_path, "m", {"pgd": {"imagenet/clean": 0.8, "imagenet/pgd-linf-eps4_255-k10": 0.2}}, n=500)
    write_results(tmp_path / "one", "m", {"pgd": {"imagenet/clean": 0.8, "imagenet/pgd-linf-eps4_255-k1": 0.6}}, n=500)
    attack = {"attack": "pgd", "norm": "linf", "eps": "4/255", "step_size": "1/255", "targeted": False}
    ten = ReportedNumber("robust_accuracy", 60.0, "x", steps=10, **attack)  # type: ignore[arg-type]
    one = ReportedNumber("robust_accuracy", 20.0, "x", steps=1, **attack)  # type: ignore[arg-type]
    found = claims(dataclasses.replace(find_card("sat_resnet50"), reported=(ten, one)))
    frames = (results(tmp_path), results(tmp_path / "one"))
    runs = {c.measure.key: frame for c, frame in zip(found, frames, strict=True) if c.measure}
    judged = judge(reported_evidence("m", found, runs))
    assert [finding.status for finding in judged] == [Status.REGRESSED, Status.IMPROVED]
    assert reported_evidence("m", found, {"another": results(tmp_path)}) == []


def test_accepted_numbers_that_are_gone_are_no_pass(copied: Path) -> None:
    (cell,) = json.loads((copied / baseline_name(NAME)).read_text("utf-8"))["cells"]
    edit(copied, cells=[{**cell, "suite": "clean"}])
    lost, never = check([NAME], baseline=copied).of(Status.UNCHECKED)
    assert "no measure of the suite clean is accepted with it" in lost.evidence
    assert "measured, and no number of it is accepted" in never.evidence
    edit(copied, cells=[])
    assert [finding.what for finding in check([NAME], baseline=copied).of(Status.UNCHECKED)] == ["tiny tiny/clean"]
    edit(copied, measures=[])
    with pytest.raises(UsageError, match="tiny_at: nothing is accepted in"):
        check([NAME], baseline=copied)


def test_a_model_of_which_nothing_is_measured_is_no_pass(tmp_path: Path) -> None:
    """Its card reports numbers of this package's own runs, and no run of them is asked for."""
    assert claims(find_card(NAME))
    with pytest.raises(UsageError, match="tiny_at: nothing is accepted in"):
        check([NAME], baseline=tmp_path)


def test_another_limit_keeps_the_accepted_suites(copied: Path) -> None:
    accept([NAME], baseline=copied, limit=50)
    found = read_baseline(copied / baseline_name(NAME))
    assert [(m.suite, m.options) for m in found.measures] == [("tiny", {"limit": 50})]


def test_junit_holds_any_name() -> None:
    finding = GateFinding("<script>\"'\x00模", "x", "baseline", Status.REGRESSED, "a & b")
    (case,) = ET.fromstring(to_junit(Report((finding,)).findings)).iter("testcase")
    assert case.get("classname") == "<script>\"'�模"
    assert case[0].tag == "failure"
