"""Conditions and attacks written and read back: of every suite, and of whatever else the fields can say."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.condition import NORMS, AttackFields, Condition, spell, unspell
from bench.errors import UsageError
from bench.options import RunOptions
from bench.suites.registry import SUITES
from model_zoo.registry import find_card

FRACTIONS = st.fractions(0, 300, max_denominator=1000)
COUNTS = st.none() | st.integers(0, 5000)
WORDS = st.sampled_from(["untargeted", "targeted", "cleanstart", "standard", "v1", "rescaled", "rand"])
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}[a-z0-9]", fullmatch=True)
ATTACKS = st.builds(
    AttackFields,
    family=st.sampled_from(["pgd", "pgdbest", "apgd-ce", "apgd-t", "fab-t", "square", "autoattack", "aa-fast"]),
    norm=st.sampled_from(NORMS),
    eps=FRACTIONS,
    steps=COUNTS,
    step_size=st.none() | FRACTIONS,
    restarts=COUNTS,
    targets=COUNTS,
    queries=COUNTS,
    words=st.lists(WORDS, max_size=2).map(tuple),
    through=st.just("") | NAMES,
)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Any condition that the fields can say."""
    corruption = draw(st.just("") | NAMES)
    return Condition(
        draw(NAMES),
        draw(st.just("") | NAMES),
        corruption,
        draw(st.integers(1, 10)) if corruption else 0,
        draw(st.none() | st.integers(1, 100)) if corruption else None,
        draw(st.none() | ATTACKS),
        tuple(draw(st.lists(NAMES, max_size=3))),
    )


@given(conditions())
def test_what_is_written_is_read_back(condition: Condition) -> None:
    assert Condition.parse(str(condition)) == condition


@given(conditions(), conditions())
def test_unlike_conditions_are_written_unlike(one: Condition, other: Condition) -> None:
    assert (str(one) == str(other)) == (one == other)


@given(st.sampled_from(NORMS), FRACTIONS)
def test_a_fraction_is_read_back(norm: str, value: Fraction) -> None:
    assert unspell(spell(value, norm)) == value


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("model", ["tiny_at", "tiny_mbn", "efficientnet_lite0"])
def test_every_suite_s_conditions_are_read_back(suite: str, model: str) -> None:
    try:
        setups = SUITES[suite].conditions(find_card(model), RunOptions())
    except UsageError:
        assert suite == "pgd-branches"  # no branches
        return
    assert setups
    for setup in setups:
        assert Condition.parse(setup.name) == setup.condition
        if setup.attack:
            assert AttackFields.parse(setup.attack.name) == setup.condition.attack


PGD = AttackFields("pgd", "linf", Fraction(4, 255), 10, Fraction(1, 255), 1, words=("untargeted",))


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("imagenet/clean", Condition("imagenet")),
        ("imagenet-c/fog/3", Condition("imagenet-c", corruption="fog", severity=3)),
        ("imagenet/glass_blur/5-jpeg85", Condition("imagenet", "", "glass_blur", 5, 85)),
        ("imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted", Condition("imagenet", attack=PGD)),
        ("tiny/fog/3-jpeg85/pgd-linf-eps4_255-k10-a1_255-r1-untargeted", Condition("tiny", "", "fog", 3, 85, PGD)),
        ("imagenet-v2[top-images]/clean", Condition("imagenet-v2", "top-images")),
        ("tiny/clean:moments+margin-l2-fmn100", Condition("tiny", probes=("moments", "margin-l2-fmn100"))),
        (
            "tiny/apgd-t-l2-eps0.5-k100-t9-through-adv",
            Condition("tiny", attack=AttackFields("apgd-t", "l2", Fraction(1, 2), 100, targets=9, through="adv")),
        ),
    ],
)
def test_names_as_they_stand_in_results_folders(name: str, parsed: Condition) -> None:
    assert Condition.parse(name) == parsed
    assert str(parsed) == name


def test_derived_fields() -> None:
    assert PGD.targeted is False
    assert AttackFields.parse("apgd-dlr-linf-eps8_255-k100-r1").loss == "dlr"
    assert Condition.parse("tiny/clean:margin-l2-fmn100").probe_norm == "l2"
    assert Condition.parse("tiny/clean:moments").probe_norm == ""
    assert Condition("tiny").clean
    assert not Condition("tiny", attack=PGD).clean


@pytest.mark.parametrize(
    "name",
    [
        "",
        "imagenet",
        "imagenet/",
        "/clean",
        "imagenet/fog",
        "imagenet/fog/3/clean",
        "imagenet/fog/x",
        "a/b/1/c/d",
        "imagenet/pgd-linf-eps8_510",
        "imagenet/pgd-linf-eps",
        "imagenet/pgd-linf-eps1_0",
        "imagenet/fog/03",
        "imagenet/clean:",
        "imagenet/clean:a++b",
        "imagenet[]/clean",
        "imagenet/fog/0",
    ],
)
def test_what_is_no_condition_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"condition|attack|empty|severity|fraction"):
        Condition.parse(name)


@pytest.mark.parametrize("bad", ["a/b", "a:b", "a+b", "a[b"])
def test_a_name_that_would_be_read_otherwise_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="a name in a condition"):
        Condition(bad)
