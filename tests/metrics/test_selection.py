"""A cell's `subset`: one format, one parse."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.metrics.selection import WHOLE, Selection, joined, rule_of
from bench.metrics.sequential import StopRule
from bench.metrics.told import Rule, TellRule

COUNTS = st.integers(1, 2_000_000)
FRACTIONS = st.fractions(0).filter(bool) | st.sampled_from([Fraction(1, 3), Fraction("0.1234567"), Fraction(1, 10**7)])
SEEDS = st.integers(0, 2**63)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1)
RULES = st.builds(StopRule, FRACTIONS, SEEDS) | st.builds(TellRule, NAMES, FRACTIONS, SEEDS)
SPLITS = st.sampled_from(["", "training", "test"])


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    """Every selection that a data set and the options of a run can make."""
    selection = Selection(split=draw(SPLITS), rule=draw(st.none() | RULES))
    if draw(st.booleans()):
        return replace(selection, limit=draw(COUNTS), available=draw(COUNTS))
    if draw(st.booleans()):
        return selection
    classes = {"missing": draw(COUNTS), "classes": draw(COUNTS)} if draw(st.booleans()) else {}
    return replace(selection, found=draw(COUNTS), complete=draw(COUNTS), **classes)


@given(selections())
@example(Selection(rule=TellRule("file:a.py?mean=0.5,0.5 and tiny_at", Fraction(1), 7)))
@example(Selection(limit=3, available=5, rule=TellRule("a; until b and c; limit 1 of 2 images", Fraction(1, 3), 0)))
@example(Selection(rule=TellRule(f"{StopRule(Fraction(2))}; until x", Fraction(1))))
def test_a_selection_comes_back_from_its_text(selection: Selection) -> None:
    assert Selection.parse(str(selection)) == selection


@given(st.text() | selections().map(lambda s: f"{s}; {s}") | selections().map(lambda s: f"{s} more"))
@example("limit 3 of 5 images; limit 4 of 9 images; until 5 points")
@example("limit ٣ of 5 images")
@example("until 1/0 points, order of seed 0: 95 % interval of the whole set valid at any time")
def test_any_text_is_kept_as_it_is(text: str) -> None:
    assert str(Selection.parse(text)) == text


OLD = "95 % interval of the whole set valid at any time"


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("", WHOLE),
        ("limit 300 of 2000 images", Selection(limit=300, available=2000)),
        (
            "6 of 50000 images, 997 of 1000 classes missing",
            Selection(found=6, complete=50000, missing=997, classes=1000),
        ),
        ("49999 of 50000 images", Selection(found=49999, complete=50000)),
        ("pictures of ImageNet's training split, not the validation set", Selection(split="training")),
        (f"until 0.5 points, order of seed 7: {OLD}", Selection(rule=StopRule(Fraction(1, 2), 7))),
        (
            f"limit 9 of 10 images; until A and B are told apart or within 1/3 points, order of seed 0: {OLD}",
            Selection(limit=9, available=10, rule=TellRule("A and B", Fraction(1, 3))),
        ),
    ],
)
def test_results_of_earlier_versions_are_read(text: str, selection: Selection) -> None:
    assert Selection.parse(text) == selection


def test_a_rule_is_found_after_text_of_another_version_and_in_joined_cells() -> None:
    rule: Rule = StopRule(Fraction(5))
    assert rule_of(f"every third image; {rule}") == rule
    both = joined([f"limit 3 of 5 images; {rule}", str(rule), f"limit 4 of 9 images; {rule}", ""])
    assert both == f"limit 3 of 5 images; limit 4 of 9 images; {rule}"
    assert rule_of(both) == rule


@pytest.mark.parametrize("points", ["1/0", "1" * 5000, "1e99999999", "-1", "nan"])
def test_a_hostile_number_is_no_rule(points: str) -> None:
    assert rule_of(f"until {points} points, order of seed 0: {OLD}") is None


def test_a_limit_replaces_the_number_of_images_and_keeps_the_split() -> None:
    whole = Selection(found=900, complete=1000, missing=2, classes=10, split="training")
    assert str(whole.limited(5, 900)) == (
        "pictures of ImageNet's training split, not the validation set; limit 5 of 900 images"
    )
