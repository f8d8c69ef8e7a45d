"""One family of comparisons, corrected once: the ranks, the comparison page and `bench compare` say the same."""

import itertools
import json
import re
from pathlib import Path

import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

import bench
from bench.board.leaderboard import leaderboard
from bench.board.site.build import write_site
from bench.cli import main
from bench.folder.compare import compare_pairs
from bench.metrics.accuracy import correct
from bench.testing import write_results

ACCURACY = {"a": 0.80, "b": 0.66, "c": 0.60, "d": 0.40}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, (name, accuracy) in enumerate(ACCURACY.items()):
        write_results(tmp_path, name, {"imagenet": {"imagenet/clean": accuracy}}, n=100, seed=seed)
    return tmp_path


def expected(folder: Path) -> dict[tuple[str, str], float]:
    """McNemar's exact test by SciPy, Holm over all six pairs by statsmodels."""
    records = bench.records(folder)
    right = {name: correct(frame) == 1 for name, frame in records.groupby("model")}
    pairs = list(itertools.combinations(sorted(right), 2))
    raw = []
    for a, b in pairs:
        one, other = int((right[a] & ~right[b]).sum()), int((~right[a] & right[b]).sum())
        raw.append(binomtest(one, one + other).pvalue)
    return dict(zip(pairs, multipletests(raw, method="holm")[1], strict=True))


def test_the_command_corrects_over_all_pairs_whichever_are_asked_for(folder: Path) -> None:
    wanted = expected(folder)
    for models in ((), ("a", "b"), ("d", "b", "a")):
        table = compare_pairs(folder, models).table
        assert set(table["family"]) == {6}
        for row in table.to_dict("records"):
            assert row["p_holm"] == pytest.approx(wanted[min(row["a"], row["b"]), max(row["a"], row["b"])], rel=1e-9)


def test_the_page_shows_the_same_p(folder: Path, tmp_path: Path) -> None:
    wanted = expected(folder)
    write_site(folder, tmp_path / "site")
    text = (tmp_path / "site" / "compare.html").read_text()
    data = json.loads(re.search(r"<script[^>]*application/json[^>]*>(.*?)</script>", text, re.DOTALL)[1])  # type: ignore[index]
    (column,) = data["columns"]
    names = [model["name"] for model in data["models"]]
    for (a, b), p in wanted.items():
        i, j = sorted((column["place"][names.index(a)], column["place"][names.index(b)]), reverse=True)
        assert column["holm"][i * (i - 1) // 2 + j] == pytest.approx(p, rel=1e-2)  # three digits, never more than p


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
    assert "rank 1" not in (tmp_path / "site" / "index.html").read_text()


def test_one_model_alone_has_no_rank(tmp_path: Path) -> None:
    write_results(tmp_path, "a", {"imagenet": {"imagenet/clean": 0.5}}, n=6)
    assert "imagenet_accuracy_rank" not in leaderboard(tmp_path)
