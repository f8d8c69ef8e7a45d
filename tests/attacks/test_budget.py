"""Budgets keep the fraction that was typed, and refuse the wrong unit with its cure."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.attacks.budget import Norm, check_budget, odd_budget, parse_eps
from bench.condition import spell
from bench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4/255", Fraction(4, 255)),
        ("0.5/255", Fraction(1, 510)),
        (" 8 / 255", Fraction(8, 255)),
        ("0.03", Fraction(3, 100)),
        (4 / 255, Fraction(4, 255)),
        (1e-6, Fraction(1, 10**6)),
        (3e-6, Fraction(3, 10**6)),
        (0.00123, Fraction(123, 10**5)),
        ("0", Fraction(0)),
        ("3", Fraction(3)),
    ],
)
def test_what_was_typed_is_kept_exactly(text: str | float, value: Fraction) -> None:
    assert parse_eps(text) == value


@pytest.mark.parametrize("text", ["four", "4/255/2", "", "1/0", "nan", float("inf")])
def test_what_is_no_number_is_refused(text: str | float) -> None:
    with pytest.raises(UsageError, match="write a fraction such as 4/255"):
        parse_eps(text)


def test_a_negative_eps_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 0"):
        parse_eps("-4/255")


def test_eps_in_pixels_is_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match=r"eps is in units of \[0,1\]: write 4/255"):
        check_budget("linf", Fraction(4))
    assert check_budget("l2", Fraction(4)) == "l2"


def test_a_whole_range_is_no_budget_in_linf_and_one_in_l2() -> None:
    with pytest.raises(UsageError, match="write 1/255"):
        check_budget("linf", Fraction(1))
    assert check_budget("linf", Fraction(254, 255)) == "linf"
    assert check_budget("l2", Fraction(1)) == "l2"


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(UsageError, match="linf"):
        check_budget("lnf", Fraction(1, 255))


@pytest.mark.parametrize(
    ("value", "norm", "text"),
    [
        (Fraction(4, 255), "linf", "4_255"),
        (Fraction(1, 510), "linf", "0.5_255"),
        (Fraction(1, 3), "linf", "85_255"),
        (Fraction(1, 7), "linf", "1_7"),
        (Fraction(1, 2), "l2", "0.5"),
        (Fraction(3), "l2", "3"),
        (Fraction(2, 7), "l2", "2_7"),
    ],
)
def test_spelling(value: Fraction, norm: str, text: str) -> None:
    assert spell(value, check_budget(norm, value)) == text


@settings(deadline=None)
@given(st.fractions(min_value=0, max_value=1), st.fractions(min_value=0, max_value=1))
def test_different_budgets_never_share_a_name(one: Fraction, other: Fraction) -> None:
    assert (spell(one) == spell(other)) == (one == other)
    assert "/" not in spell(one)


@pytest.mark.parametrize(("norm", "eps", "said"), [
    ("l2", "8/255", "eps 0.0314 is little in l2: is it meant in linf?"),
    ("linf", "0.5", "eps 0.5 is much in linf: is it meant in l2?"),
    ("l1", "0.5", "eps 0.5 is little in l1: is it meant in l2?"),
    ("l2", "0.5", ""), ("l2", "3", ""), ("linf", "16/255", ""), ("l1", "12", ""), ("l2", "0", ""),
])  # fmt: skip
def test_a_budget_of_another_norm_is_noted(norm: Norm, eps: str, said: str) -> None:
    assert odd_budget(norm, parse_eps(eps)) == said
