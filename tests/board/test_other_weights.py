"""A card's name with weights that are not the card's: nothing published or known of the card stands beside them."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import bench
from bench.board.leaderboard import leaderboard
from bench.cli import main
from bench.figures.facts import Facts
from bench.folder.survey import survey
from bench.manifest import RunModel
from model_zoo import load_model
from model_zoo.registry import ROOT, find_card
from model_zoo.weights import unlike

WEIGHTS = ROOT / "tiny" / "weights"


def _about(folder: Path) -> RunModel:
    return survey(folder).runs[0].about


def test_another_checkpoints_file_borrows_neither_numbers_nor_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = WEIGHTS / "tiny_at.safetensors"
    found = bench.run("tiny_std", "tiny-pgd", weights=weights, out=tmp_path, limit=6, reliability=0, quiet=True)
    told = "other weights: tiny_std was measured with tiny_at.safetensors, not with its card's weights"
    assert told in found.remarks()
    asked = ["--suite", "tiny-pgd", "--limit", "6", "--reliability", "0", "--out", str(tmp_path)]
    assert main(["run", "--model", "tiny_std", "--weights", str(weights), *asked]) == 0
    assert "other weights: tiny_std: " in (printed := capsys.readouterr().out)
    assert "tiny_at.safetensors is another checkpoint: expected SHA-256" in printed
    assert told in printed
    about = _about(tmp_path)
    assert about.card("tiny_std") is None
    assert (about.traits.images, about.traits.seed) == ((), None)
    assert (about.traits.family, about.traits.depth) == ("tiny", 8)
    assert Facts.of("tiny_std", about).traits.images == ()
    board = leaderboard(tmp_path)
    assert told in board.attrs["notes"]
    assert not [column for column in board if column.endswith(("_claimed", "_outside"))]
    assert board["method"].tolist() == [""]  # it stood there as `standard`, and these were trained adversarially


def test_a_copy_of_the_cards_own_file_is_the_cards(tmp_path: Path) -> None:
    copy = shutil.copy(WEIGHTS / "tiny_std.safetensors", tmp_path / "elsewhere.safetensors")
    found = bench.run("tiny_std", "tiny-pgd", weights=copy, out=tmp_path / "r", limit=6, reliability=0, quiet=True)
    assert not [line for line in found.remarks() if "weights" in line]
    assert _about(tmp_path / "r").card("tiny_std") == find_card("tiny_std")


@pytest.mark.parametrize("changed", [False, True])
def test_a_loaded_model_that_was_trained_on_is_not_its_card(tmp_path: Path, changed: bool) -> None:
    model = load_model("tiny_mbn@adv")
    if changed:
        next(model.net.parameters()).data.mul_(1.001)
    found = bench.run(model, "tiny-pgd", out=tmp_path, limit=6, reliability=0, quiet=True)
    assert any("weights changed since they were loaded" in line for line in found.remarks()) == changed
    assert (_about(tmp_path).card("tiny_mbn@adv") is None) == changed


def test_which_files_are_a_cards(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(b"weights")
    card = find_card("tiny_std")
    (own,) = card.weights.files

    def held_to(sha256: str) -> str:
        return unlike(replace(card, weights=replace(card.weights, files=(replace(own, sha256=sha256),))), file)

    digest = hashlib.sha256(b"weights").hexdigest()
    assert held_to(digest) == held_to(digest[:8]) == held_to("") == ""
    unreleased = replace(card, weights=replace(card.weights, files=(), availability="not released"))
    assert unlike(unreleased, file).endswith(f"released no weights, so {file} holds somebody else's")
    assert held_to("0" * 64).startswith(f"tiny_std: {file} is another checkpoint: expected SHA-256 000000000000, found")
    assert "found several files" in unlike(card, tmp_path)
    assert unlike(find_card("timm:resnet18"), file).endswith(f"the weights are those of {file}, not its own")
    assert "expected SHA-256 f37072fd, found" in unlike(find_card("torchvision:resnet18"), file)
    own_code = replace(card, weights=replace(card.weights, availability="user", files=()))
    assert unlike(own_code, file) == ""


def test_a_card_of_the_same_name_with_other_files_is_another_labs() -> None:
    (own,) = find_card("tiny_std").weights.files
    for files, known in (
        ({}, True),
        ({own.name: own.sha256}, True),
        ({own.name: own.sha256[:8]}, True),
        ({own.name: ""}, True),
        ({own.name: "0" * 64}, False),
        ({"other.pth": own.sha256}, False),
    ):
        assert (RunModel(files=files).card("tiny_std") is not None) == known, files


def test_weights_that_no_published_hash_verifies_are_named_in_every_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_model("tiny_std")
    (own,) = model.card.weights.files
    for sha256, out in (("", "none"), (own.sha256, "published")):
        public = replace(model.card.weights, availability="public", files=(replace(own, sha256=sha256),))
        model.card = replace(model.card, weights=public)
        bench.run(model, "tiny", limit=4, out=tmp_path / out, quiet=True)
    line = "no published hash verifies these weights, so card and claims are theirs only if the file is: tiny_std"
    assert line in bench.results(tmp_path / "none").remarks()
    assert line in leaderboard(tmp_path / "none").attrs["notes"]
    for command in ("results", "leaderboard"):
        assert main([command, str(tmp_path / "none")]) == 0
        assert line in " ".join(" ".join(capsys.readouterr()).split())
    assert not bench.results(tmp_path / "published").attrs["remarks"]
    bench.export(tmp_path / "none", "hf-model-card", tmp_path / "cards")
    assert line in (tmp_path / "cards" / "tiny_std.md").read_text(encoding="utf-8")
    bench.export(tmp_path / "none", "datasets", tmp_path / "sets")
    assert line in (tmp_path / "sets" / "README.md").read_text(encoding="utf-8")
