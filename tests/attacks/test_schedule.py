"""The order of trials: the first in order that breaks an image counts, however many run side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.attacks.schedule import TrialSchedule


def test_images_that_wait_come_before_those_tried_ahead() -> None:
    schedule = TrialSchedule(["always"] * 4, [True] * 2)
    schedule.add(0, 0)
    assert schedule.take(8) == [(0, 0)]
    assert schedule.end(0, 0, broken=False)
    schedule.add(1, 0)
    assert schedule.take(1) == [(0, 1)]
    assert schedule.take(3) == [(1, 0), (0, 2), (0, 3)]
    assert schedule.take(8) == []


def test_nothing_is_tried_ahead_of_the_first_trial() -> None:
    schedule = TrialSchedule(["always"] * 4, [True])
    schedule.add(0, 0)
    assert schedule.take(8) == [(0, 0)]
    assert schedule.take(8) == []


def test_a_break_gives_up_the_later_trials_and_waits_for_the_earlier() -> None:
    schedule = TrialSchedule(["always"] * 4, [True])
    schedule.add(0, 0)
    schedule.take(1)
    schedule.end(0, 0, broken=False)
    assert schedule.take(8) == [(0, 1), (0, 2), (0, 3)]
    assert schedule.end(0, 2, broken=True)
    assert schedule.given_up
    assert not schedule.end(0, 3, broken=True)
    assert schedule.end(0, 1, broken=True)
    assert schedule.limit == [1]


@pytest.mark.parametrize(("misled", "expected"), [(False, [1, 3]), (True, [2, 3])])
def test_trials_depend_on_what_the_first_one_found(misled: bool, expected: list[int]) -> None:
    known = [not misled]  # what an earlier queue found gives way
    schedule = TrialSchedule(["always", "led", "misled", "always", "led" if misled else "misled"], known)
    schedule.add(0, 0)
    assert schedule.take(8) == [(0, 0)]
    schedule.end(0, 0, broken=False, misled=misled)
    assert schedule.take(8) == [(0, trial) for trial in expected]
    for trial in expected:
        schedule.end(0, trial, broken=False)
    assert not schedule
    assert schedule.following(0, 4) == 5
    assert known == [misled]


@given(
    st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=5), st.integers(1, 6), st.randoms(use_true_random=False)
)
def test_the_first_trial_that_breaks_counts_whatever_ends_first(
    breaks: list[set[int]], room: int, dice: object
) -> None:
    schedule, running = TrialSchedule(["always"] * 6, [True] * len(breaks)), list[tuple[int, int]]()
    counted: list[set[int]] = [set() for _ in breaks]
    for index in range(len(breaks)):
        schedule.add(index, 0)
    while schedule or running:
        running += schedule.take(room - len(running))
        index, trial = running.pop(dice.randrange(len(running)))  # type: ignore[attr-defined]
        if schedule.end(index, trial, trial in breaks[index]):
            counted[index].add(trial)
    for index, those in enumerate(breaks):
        first = min(those, default=6)
        assert schedule.limit[index] == first
        assert set(range(min(first + 1, 6))) <= counted[index]
