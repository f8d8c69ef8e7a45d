"""Claims: published numbers are in the table of sources, recipes exist, and verdicts follow from the records."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_rel

from bench.figures import FIGURES
from bench.metrics.corruption import CORRUPTIONS
from bench.published.table import published_table
from bench.testing import write_results
from bench.training.recipes import RECIPES
from tools import claims
from tools.claim_counts import MEASURED, Counts, added, complete, count, newest, outcomes, read_counts, write_counts
from tools.claim_list import ADVPROP, CLAIMS, PGD, SAT, C, Claim
from tools.claims import Line, difference, lines, page, whole
from tools.pages import END


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.paper[:9]}: {claim.says}")
def test_a_claim_compares_recipes_by_numbers_that_have_a_source(claim: Claim) -> None:
    for side in (claim.better, claim.worse):
        name, _, branch = side.partition("@")
        assert branch in (RECIPES[name].net.branches or ("",))
    (paper,) = re.findall(r"\d{4}\.\d{5}", claim.paper) or [claim.paper]
    sourced = {row.number.value for row in published_table() if paper in row.paper}
    assert set(claim.published.numbers) <= sourced


def rows(model: str, condition: str, right: Sequence[bool], protocol: str = "p") -> pd.DataFrame:
    n = len(right)
    return pd.DataFrame(
        {
            "model": model,
            "condition": condition,
            "protocol": protocol,
            "image_id": map(str, range(n)),
            "label": 1,
            "prediction": [int(r) for r in right],
            "scored": True,
        }
    )


BETTER = Claim(SAT, "better", "sat_silu", "at", PGD)


def counted(claim: Claim, *frames: pd.DataFrame) -> list[Counts]:
    return list(count(claim, outcomes(pd.concat(frames))))


def measured(*frames: pd.DataFrame) -> Line:
    (line,) = lines(counted(BETTER, *frames))
    return line


def test_every_seed_on_one_side_is_reproduced_or_reversed() -> None:
    good, bad = [True] * 40 + [False] * 10, [True] * 10 + [False] * 40
    frames = [rows(f"tiny_sat_silu{s}", PGD, good) for s in ("", "_s1")]
    frames += [rows(f"tiny_at{s}", PGD, bad) for s in ("", "_s1")]
    found = measured(*frames)
    assert found.points == pytest.approx(60.0)
    assert found.p == pytest.approx(2 * 0.5**60)  # 60 discordant images, all one way; one claim to correct for
    assert (found.verdict, found.would_change) == ("reproduced", "a training seed below 0")
    swapped = {"tiny_at": "tiny_sat_silu", "tiny_sat_silu": "tiny_at"}
    other = measured(*(f.assign(model=f["model"].replace(swapped)) for f in (frames[0], frames[2])))
    assert (other.verdict, other.would_change) == ("reversed", "a training seed above 0, of which one was trained")


def test_seeds_that_disagree_or_a_weak_test_leave_it_undecided() -> None:
    up, down = [True] * 40 + [False] * 10, [True] * 30 + [False] * 20
    mixed = measured(
        rows("tiny_sat_silu", PGD, up),
        rows("tiny_at", PGD, down),
        rows("tiny_sat_silu_s1", PGD, down),
        rows("tiny_at_s1", PGD, up),
    )
    assert mixed.verdict == "undecided"
    assert "seeds that agree" in mixed.would_change
    weak = Line("k", (1.0,), 1.0, -1.0, 3.0, 1000, 0.3)
    assert (weak.verdict, weak.would_change) == ("undecided", "about 11,600 images a seed at this difference")


def test_without_both_sides_under_one_protocol_nothing_is_tested() -> None:
    assert counted(BETTER, rows("tiny_at", PGD, [True])) == []
    assert counted(BETTER, rows("tiny_at", PGD, [True], "one"), rows("tiny_sat_silu", PGD, [True], "other")) == []
    (row,) = [line for line in page([], [BETTER]) if "better" in line]
    assert "**not tested**" in row


def test_of_two_protocols_that_both_sides_have_the_one_of_most_pictures_counts() -> None:
    frames = [
        rows(model, PGD, [model == "tiny_at"] * n, protocol)
        for model in ("tiny_at", "tiny_sat_silu")
        for n, protocol in ((2, "limited"), (3, "whole"))
    ]
    longest = rows("tiny_at", PGD, [True] * 9, "of one side alone")
    (found,) = counted(BETTER, *frames, longest)
    assert (found.protocol, found.n, found.both, found.better, found.worse) == ("whole", 3, 0, 0, 3)


def test_a_folder_with_few_claims_keeps_the_counts_of_the_others() -> None:
    one = Counts("a - b, tiny/clean", 0, "p", 100, 90, 5, 2, 3.0, 7.0)
    more, fewer = replace(one, n=200, protocol="q"), replace(one, n=50, protocol="r")
    other = replace(one, key="c - d, tiny/clean")
    assert newest([one, other], [more]) == [more, other]
    assert newest([one, replace(one, seed=1)], [more, other]) == [more, other]
    assert newest([one, other], [fewer]) == [one, other]
    second = replace(one, seed=1)
    assert newest([one, other], [second]) == [one, second, other]  # a folder with a seed that was missing
    assert newest([one, second], [replace(one, better=6)]) == [replace(one, better=6), second]


CORRUPTED = Claim(ADVPROP, "corrupted", "sat_silu", "at", C)


def corrupted(model: str, right: Sequence[bool], conditions: int = 75) -> list[pd.DataFrame]:
    """Of the first corruption `right`, of all others nothing."""
    every = [f"tiny/{name}/{severity}-jpeg85" for name in CORRUPTIONS for severity in range(1, 6)]
    wrong = [False] * len(right)
    return [rows(model, c, right if i == 0 else wrong) for i, c in enumerate(every[:conditions])]


def test_corruptions_are_averaged_and_the_test_is_the_paired_t_test() -> None:
    right = [True, True, True, False]
    (found,) = counted(CORRUPTED, *corrupted("tiny_sat_silu", right), *corrupted("tiny_at", [True] + [False] * 3))
    told = difference(found)
    a, b = np.array(right) / 75, np.array([True, False, False, False]) / 75
    assert (found.n, found.whole) == (4, False)
    assert told.points == pytest.approx(100 * (a - b).mean())
    assert told.p == pytest.approx(ttest_rel(a, b).pvalue)
    half = 1.959964 * (a - b).std(ddof=1) / 2
    assert told.high == pytest.approx(100 * ((a - b).mean() + half))


def test_a_mean_over_fewer_corruptions_is_none() -> None:
    whole, less = corrupted("tiny_at", [True]), corrupted("tiny_sat_silu", [True], 74)
    assert counted(CORRUPTED, *whole, *less) == []


def test_half_a_cell_is_none(tmp_path: Path) -> None:
    for model in ("tiny_at", "tiny_sat_silu"):
        write_results(tmp_path, model, {"tiny-pgd": {PGD: 0.5}})
    assert [one.n for one in count(BETTER, outcomes(complete(tmp_path)))] == [100]
    part = next(
        path
        for path in sorted(tmp_path.rglob("*.parquet"))
        if "tiny_at" in (path.parent / "cell.json").read_text("utf-8")
    )
    part.unlink()
    assert list(count(BETTER, outcomes(complete(tmp_path)))) == []


def test_seeds_are_added_by_their_counts() -> None:
    first = Counts("k", 0, "p", 100, 50, 30, 10, 20.0, 40.0)
    second = Counts("k", 1, "p", 300, 100, 20, 60, -40.0, 80.0)
    both = added([first, second])
    assert (both.n, both.both, both.better, both.worse, both.points) == (400, 150, 50, 70, pytest.approx(-5.0))
    assert difference(both).p == pytest.approx(binomtest(50, 120).pvalue)
    (line,) = lines([first, second])
    assert line.seeds == pytest.approx((20.0, -40 / 3))


def test_p_is_corrected_over_all_claims_and_never_printed_as_zero() -> None:
    counts = [Counts(key, 0, "p", 100, 50, 30, 10, 20.0, 40.0) for key in ("k", "m")]
    assert [line.p for line in lines(counts)] == pytest.approx([2 * binomtest(10, 40).pvalue] * 2)
    sure = Line(BETTER.key, (20.0,), 20.0, 10.0, 30.0, 100, 0.0)
    (row,) = [line for line in page([sure], [BETTER]) if "better" in line]
    assert "| < 1e-300 |" in row


def test_counts_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    for wrong in (Counts("k", 0, "p", 100, 50, 30, 10, 21.0, 40.0), Counts("k", 0, "p", 80, 50, 30, 10, 20.0, 40.0)):
        write_counts([wrong], file)
        with pytest.raises(ValueError, match="k, seed 0"):
            read_counts(file)


def test_the_page_is_what_was_measured() -> None:
    """Next where it fails: `make docs`."""
    text = claims.PAGE.read_text(encoding="utf-8")
    assert text.count(claims.BEGIN) == text.count(END) == 1
    assert text == whole()


def test_measured_lines_are_written_as_they_are_read(tmp_path: Path) -> None:
    write_counts(read_counts(), tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == MEASURED.read_bytes()
    assert {counts.key for counts in read_counts()} <= {claim.key for claim in CLAIMS}


def test_every_claim_has_its_figure_and_no_two_compare_the_same() -> None:
    assert {claim.figure for claim in CLAIMS} <= {spec.name for spec in FIGURES}
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS)
