"""Claims: published numbers are in the table of sources, recipes exist, and verdicts follow from the records."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from bench.figures import FIGURES
from bench.published.table import published_table
from bench.training.recipes import RECIPES
from tools import claims
from tools.claim_list import CLAIMS, CLEAN, PGD, SAT, C, Claim
from tools.claims import Line, examine, lines, outcomes, page, read_lines, whole, write_lines


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


def measured(*frames: pd.DataFrame) -> Line:
    (line,) = lines([examine(BETTER, outcomes(pd.concat(frames)))])
    return line


def test_every_seed_on_one_side_is_reproduced_or_reversed() -> None:
    good, bad = [True] * 40 + [False] * 10, [True] * 10 + [False] * 40
    frames = [rows(f"tiny_sat_silu{s}", PGD, good) for s in ("", "_s1")]
    frames += [rows(f"tiny_at{s}", PGD, bad) for s in ("", "_s1")]
    found = measured(*frames)
    assert found.points == pytest.approx(60.0)
    assert found.p == pytest.approx(2 * 0.5**60)  # 60 discordant pictures, all one way; one claim to correct for
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
    assert (weak.verdict, weak.would_change) == ("undecided", "about 11,600 pictures a seed at this difference")


def test_without_both_sides_nothing_is_tested() -> None:
    assert lines([examine(BETTER, outcomes(rows("tiny_at", PGD, [True])))]) == []
    (row,) = [line for line in page([], [BETTER]) if "better" in line]
    assert "**not tested**" in row


def test_the_cell_of_most_pictures_counts_and_corruptions_are_averaged() -> None:
    found = outcomes(
        pd.concat(
            [
                rows("tiny_at", CLEAN, [True] * 3),
                rows("tiny_at", CLEAN, [False] * 2, "limited"),
                rows("tiny_at", "tiny/fog/1-jpeg85", [True, False]),
                rows("tiny_at", "tiny/fog/2-jpeg85", [True, True]),
            ]
        )
    )
    assert found["tiny_at", CLEAN].tolist() == [1, 1, 1]
    assert found["tiny_at", C].tolist() == [1, 0.5]


def test_the_page_is_what_was_measured() -> None:
    """Next where it fails: `make docs`."""
    text = claims.PAGE.read_text(encoding="utf-8")
    assert text.count(claims.BEGIN) == text.count(claims.END) == 1
    assert text == whole()


def test_measured_lines_are_written_as_they_are_read(tmp_path: Path) -> None:
    write_lines(read_lines(), tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == claims.MEASURED.read_bytes()
    assert {line.key for line in read_lines()} <= {claim.key for claim in CLAIMS}


def test_every_claim_has_its_figure_and_no_two_compare_the_same() -> None:
    assert {claim.figure for claim in CLAIMS} <= {spec.name for spec in FIGURES}
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS)
