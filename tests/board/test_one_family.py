"""One family of comparisons, corrected once: the ranks, the comparison page and `bench compare` say the same."""

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

import bench
from bench.board.leaderboard import leaderboard
from bench.board.site.build import write_site
from bench.cli import main
from bench.folder.compare import compare_pairs
from bench.metrics.accuracy import correct
from bench.metrics.paired import newcombe
from bench.testing import write_results

ACCURACY = {"a": 0.80, "b": 0.66, "c": 0.60, "d": 0.40}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, (name, accuracy) in enumerate(ACCURACY.items()):
        write_results(tmp_path, name, {"imagenet": {"imagenet/clean": accuracy}}, n=100, seed=seed)
    return tmp_path


def uncorrected(folder: Path) -> dict[tuple[str, str], float]:
    """McNemar's exact test by SciPy."""
    records = bench.records(folder)
    right = {name: correct(frame) == 1 for name, frame in records.groupby("model")}
    pairs = list(itertools.combinations(sorted(right), 2))
    raw = []
    for a, b in pairs:
        one, other = int((right[a] & ~right[b]).sum()), int((~right[a] & right[b]).sum())
        raw.append(binomtest(one, one + other).pvalue)
    return dict(zip(pairs, raw, strict=True))


def expected(folder: Path) -> dict[tuple[str, str], float]:
    """The same with Holm's correction over all six pairs by statsmodels."""
    raw = uncorrected(folder)
    return dict(zip(raw, multipletests(list(raw.values()), method="holm")[1], strict=True))


def compared(folder: Path, site: Path) -> dict[str, Any]:
    """What the comparison page is given."""
    write_site(folder, site)
    text = (site / "compare.html").read_text("utf-8")
    found: dict[str, Any] = json.loads(
        re.search(r"<script[^>]*application/json[^>]*>(.*?)</script>", text, re.DOTALL)[1]  # type: ignore[index]
    )
    return found


def test_the_command_corrects_over_all_pairs_whichever_are_asked_for(folder: Path) -> None:
    wanted = expected(folder)
    for models in ((), ("a", "b"), ("d", "b", "a")):
        table = compare_pairs(folder, models).table
        assert set(table["family"]) == {6}
        for row in table.to_dict("records"):
            assert row["p_holm"] == pytest.approx(wanted[min(row["a"], row["b"]), max(row["a"], row["b"])], rel=1e-9)


def test_the_page_shows_the_same_p_and_the_verdict_of_it(folder: Path, tmp_path: Path) -> None:
    wanted, raw = expected(folder), uncorrected(folder)
    data = compared(folder, tmp_path / "site")
    (column,) = data["columns"]
    names = [model["name"] for model in data["models"]]
    for (a, b), p in wanted.items():
        i, j = (column["place"][names.index(name)] for name in (a, b))
        at = max(i, j) * (max(i, j) - 1) // 2 + min(i, j)
        shown = column["holm"][at]
        assert shown == pytest.approx(p, rel=1e-2)  # three digits
        assert shown >= raw[a, b] * (1 - 1e-9)
        assert shown >= p * (1 - 1e-9)
        winner = a if ACCURACY[a] > ACCURACY[b] else b
        turn = 1 if column["place"][names.index(winner)] == max(i, j) else -1
        assert column["sign"][at] == turn
        assert column["better"][at] == (turn if p < 0.05 else 0)
    assert {abs(value) for value in column["better"]} == {0, 1}


NEARLY = (0.5, 0.5004)
"""Accuracies on 20,000 images that differ by 0.04 points: eight images, all right under the second model alone."""


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_difference_that_would_read_0_has_its_digits_sign_and_winner(names: tuple[str, str], tmp_path: Path) -> None:
    for name, accuracy in zip(names, NEARLY, strict=True):
        write_results(tmp_path, name, {"imagenet": {"imagenet/clean": accuracy}}, n=20_000, seed=1)
    data = compared(tmp_path, tmp_path / "site")
    (column,) = data["columns"]
    assert column["holm"] == [pytest.approx(2 * 0.5**8, rel=1e-2)]
    place = dict(zip([model["name"] for model in data["models"]], column["place"], strict=True))
    turn = 1 if place[names[1]] == 1 else -1
    assert (column["sign"], column["better"]) == ([turn], [turn])
    digits, difference, low, high = column["fine"]["0"]
    assert (digits, difference) == (2, turn * 4)
    ends = newcombe(10_000, 8, 0, 9_992)
    assert [low, high] == [round(10_000 * end) for end in (ends if turn == 1 else (-ends[1], -ends[0]))]


def test_the_ranks_follow_from_the_same_p(folder: Path) -> None:
    wanted = expected(folder)
    board = leaderboard(folder).set_index("model")
    ranks = board["imagenet_accuracy_rank"]
    order = list(board.index)
    leader = order[0]
    for model in order[1:]:
        apart = wanted[min(leader, model), max(leader, model)] < 0.05
        assert (ranks[model] > ranks[leader]) == apart
        leader = model if apart else leader


def test_the_command_says_over_what_it_corrected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a", "b", str(folder)]) == 0
    out = capsys.readouterr().out
    header, row = (line.split("\t") for line in out.strip().splitlines())
    assert dict(zip(header, row, strict=True))["family"] == "6"


def test_where_nothing_is_told_apart_there_is_no_rank(tmp_path: Path) -> None:
    """Case 13: 0 % of six images is no first place."""
    for name, accuracy in (("a", 0.0), ("b", 0.0), ("c", 1 / 6)):
        write_results(tmp_path, name, {"imagenet": {"imagenet/clean": accuracy}}, n=6)
    board = leaderboard(tmp_path)
    assert len(board) == 3
    assert "imagenet_accuracy_rank" not in board
    write_site(tmp_path, tmp_path / "site")
    assert "rank 1" not in (tmp_path / "site" / "index.html").read_text("utf-8")


def test_one_model_alone_has_no_rank(tmp_path: Path) -> None:
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=6)
    assert "imagenet_accuracy_rank" not in leaderboard(tmp_path)


def test_a_model_without_a_scored_image_changes_no_verdict_of_the_others(folder: Path, tmp_path: Path) -> None:
    before = compare_pairs(folder).table.set_index(["a", "b"])["p_holm"]
    ranks = leaderboard(folder).set_index("model")["imagenet_accuracy_rank"]
    write_results(folder, "nan", {"imagenet": {"imagenet/clean": math.nan}}, n=100)
    found = compare_pairs(folder).table.set_index(["a", "b"])["p_holm"]
    assert found[before.index].tolist() == before.tolist()
    assert (found.drop(before.index) == 1).all()
    board = leaderboard(folder)
    assert board.set_index("model")["imagenet_accuracy_rank"][ranks.index].tolist() == ranks.tolist()
    assert any("nan, imagenet: no accuracy" in note for note in board.attrs["notes"])
    data = compared(folder, tmp_path / "site")
    assert [one is None for one in data["columns"][0]["place"]] == [m["name"] == "nan" for m in data["models"]]
    assert data["columns"][0]["n"] == 100
