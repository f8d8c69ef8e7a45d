"""The order of trials: the first in order that breaks an image counts, however many run side by side."""

from hypothesis import given
from hypothesis import strategies as st

from bench.attacks.agenda import Agenda


def test_images_that_wait_come_before_those_tried_ahead() -> None:
    agenda = Agenda(2, 4)
    agenda.add(0, 0)
    assert agenda.take(8) == [(0, 0)]
    assert agenda.end(0, 0, broken=False)
    agenda.add(1, 0)
    assert agenda.take(1) == [(0, 1)]
    assert agenda.take(3) == [(1, 0), (0, 2), (0, 3)]
    assert agenda.take(8) == []


def test_nothing_is_tried_ahead_of_the_first_trial() -> None:
    agenda = Agenda(1, 4)
    agenda.add(0, 0)
    assert agenda.take(8) == [(0, 0)]
    assert agenda.take(8) == []


def test_a_break_gives_up_the_later_trials_and_waits_for_the_earlier() -> None:
    agenda = Agenda(1, 4)
    agenda.add(0, 0)
    agenda.take(1)
    agenda.end(0, 0, broken=False)
    assert agenda.take(8) == [(0, 1), (0, 2), (0, 3)]
    assert agenda.end(0, 2, broken=True)
    assert agenda.given_up
    assert not agenda.end(0, 3, broken=True)
    assert agenda.end(0, 1, broken=True)
    assert agenda.limit == [1]


@given(
    st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=5),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_the_first_trial_that_breaks_counts_whatever_ends_first(
    breaks: list[set[int]], room: int, dice: object
) -> None:
    agenda, running = Agenda(len(breaks), 6), list[tuple[int, int]]()
    counted: list[set[int]] = [set() for _ in breaks]
    for index in range(len(breaks)):
        agenda.add(index, 0)
    while agenda or running:
        running += agenda.take(room - len(running))
        index, trial = running.pop(dice.randrange(len(running)))  # type: ignore[attr-defined]
        if agenda.end(index, trial, trial in breaks[index]):
            counted[index].add(trial)
    for index, those in enumerate(breaks):
        first = min(those, default=6)
        assert agenda.limit[index] == first
        assert set(range(min(first + 1, 6))) <= counted[index]
