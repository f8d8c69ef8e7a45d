"""A column says which images it is of, in every form, and which other numbers it leaves out."""

from pathlib import Path

import pytest

import bench
from bench.board.leaderboard import leaderboard, to_latex, to_markdown
from bench.board.site.build import write_site
from bench.cli import main
from bench.folder.survey import survey
from bench.safe_csv import to_csv
from bench.store import Store
from bench.testing import write_results
from bench.verdict import Verdict, put_verdict

LIMIT = "limit 8 of 2000 images"
PGD = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("limited")
    bench.run("tiny_std", "tiny", limit=8, out=out, quiet=True)
    return out


def test_part_of_a_set_is_named_in_every_form(limited: Path) -> None:
    board = leaderboard(limited)
    assert board["tiny_accuracy_subset"].tolist() == [LIMIT]
    assert all(LIMIT in render(board) for render in (to_csv, to_markdown, to_latex))
    assert LIMIT in " ".join(repr(board).split())


@pytest.mark.parametrize("kind", ["markdown", "latex", "csv", "json"])
def test_results_in_a_file_name_the_part_too(limited: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", str(limited), "--format", kind]) == 0
    assert LIMIT in capsys.readouterr().out


def test_a_claim_beside_part_of_the_set_says_so_and_has_no_difference(tmp_path: Path) -> None:
    part = "limit 100 of 50000 images"
    write_results(tmp_path / "r", "sat_resnet50", {"imagenet": {"imagenet/clean": 0.7}}, subset=part)
    board = leaderboard(tmp_path / "r").iloc[0]
    assert board["imagenet_accuracy_claimed_source"].endswith(f"; measured here: {part}")
    write_site(tmp_path / "r", tmp_path / "site")
    page = (tmp_path / "site" / "models" / "sat_resnet50.html").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if "69.7 %" in line and f"n 100: {part}" in line)
    assert 'data-l="Difference"></td>' in row


def test_other_numbers_of_a_model_that_is_shown_are_not_hidden_in_silence(tmp_path: Path) -> None:
    for n, images in ((20, "old"), (19, "new"), (18, "newer")):
        write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=n, images=images)
    board = leaderboard(tmp_path)
    assert board["imagenet_accuracy_n"].tolist() == [20]
    (note,) = board.attrs["notes"]
    assert note.startswith(
        "imagenet accuracy: a was also measured under 2 other protocols, which `bench results` shows"
    )


def test_latex_names_what_is_not_reliable(tmp_path: Path) -> None:
    write_results(tmp_path, "a", {"pgd": {"imagenet/clean": 0.9, PGD: 0.5}}, version=2)
    folder = survey(tmp_path).folder
    (attacked,) = (key for key, cell in folder.cells.items() if cell.protocol.condition == PGD)
    put_verdict(Store(tmp_path), attacked, Verdict("doubtful", ("for a test",)))
    (row,) = (line for line in to_latex(leaderboard(tmp_path)).splitlines() if line.startswith("a &"))
    assert row.count("doubtful") == 1
    assert "50.0 & [40.4, 59.6] doubtful" in row  # Wilson, by hand: (0.5 + 1.96^2/200 -+ ...) / (1 + 1.96^2/100)
