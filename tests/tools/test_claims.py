"""Claims: published numbers are in the table of sources, recipes exist, and verdicts follow from the records."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from bench.published.table import published_table
from bench.training.recipes import RECIPES
from tools import claims
from tools.claims import CLAIMS, CLEAN, PGD, SAT, C, Claim, Examined, examine, outcomes, page


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


def verdict(*frames: pd.DataFrame, condition: str = PGD) -> Examined:
    return examine(Claim(SAT, "better", "sat_silu", "at", condition), outcomes(pd.concat(frames)))


def test_every_seed_on_one_side_is_reproduced_or_reversed() -> None:
    good, bad = [True] * 40 + [False] * 10, [True] * 10 + [False] * 40
    frames = [rows(f"tiny_sat_silu{s}", PGD, good) for s in ("", "_s1")]
    frames += [rows(f"tiny_at{s}", PGD, bad) for s in ("", "_s1")]
    found = verdict(*frames)
    assert found.pooled is not None
    assert found.pooled.points == pytest.approx(60.0)
    assert found.pooled.p == pytest.approx(2 * 0.5**60)  # 60 discordant pictures, all one way
    assert found.verdict(found.pooled.p) == "reproduced"
    assert (
        verdict(
            *(
                f.assign(model=f["model"].replace({"tiny_at": "tiny_sat_silu", "tiny_sat_silu": "tiny_at"}))
                for f in (frames[0], frames[2])
            )
        ).verdict(0.01)
        == "reversed"
    )


def test_seeds_that_disagree_or_a_weak_test_leave_it_undecided() -> None:
    up, down = [True] * 40 + [False] * 10, [True] * 30 + [False] * 20
    mixed = verdict(
        rows("tiny_sat_silu", PGD, up),
        rows("tiny_at", PGD, down),
        rows("tiny_sat_silu_s1", PGD, down),
        rows("tiny_at_s1", PGD, up),
    )
    assert mixed.verdict(0.001) == "undecided"
    assert verdict(rows("tiny_sat_silu", PGD, up), rows("tiny_at", PGD, down)).verdict(0.2) == "undecided"


def test_without_both_sides_nothing_is_tested() -> None:
    assert verdict(rows("tiny_at", PGD, [True])).verdict(1.0) == "not tested"
    (row,) = [line for line in page([verdict(rows("tiny_at", PGD, [True]))]) if "better" in line]
    assert "**not tested**" in row


def test_the_cell_of_most_pictures_counts_and_corruptions_are_averaged() -> None:
    found = outcomes(
        pd.concat(
            [
                rows("tiny_at", CLEAN, [True] * 3),
                rows("tiny_at", CLEAN, [False] * 2, "limited"),
                rows("tiny_at", f"{C}/fog/1", [True, False]),
                rows("tiny_at", f"{C}/fog/2", [True, True]),
            ]
        )
    )
    assert found["tiny_at", CLEAN].tolist() == [1, 1, 1]
    assert found["tiny_at", C].tolist() == [1, 0.5]


def test_the_page_has_a_place_for_the_tables() -> None:
    path = Path(__file__).parents[2] / "docs" / "claims.md"
    text = path.read_text(encoding="utf-8")
    assert text.count(claims.BEGIN) == text.count(claims.END) == 1
