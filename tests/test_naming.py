"""What an image's own name states: each form has one writer and one reader."""

from hypothesis import given
from hypothesis import strategies as st

from bench.datasets.known import SETS
from bench.naming import VALIDATION, film_of, frame_id, labels_in, with_labels

NAMES = st.text(st.characters(codec="utf-8"), min_size=1)


@given(NAMES, st.lists(st.integers(0, 999), min_size=1, unique=True))
def test_labels_in_an_id_come_back(name: str, labels: list[int]) -> None:
    assert labels_in(with_labels(name, labels)) == set(labels)
    assert with_labels(name, []) == name


@given(NAMES, st.integers(0, 999))
def test_the_film_of_a_frame_comes_back(film: str, frame: int) -> None:
    assert film_of(frame_id(film, frame)) == film


@given(NAMES)
def test_frames_sort_in_their_order(film: str) -> None:
    ids = [frame_id(film, frame) for frame in range(0, 1000, 7)]
    assert ids == sorted(ids)


def test_the_set_is_known_by_the_names_that_real_labels_count() -> None:
    assert SETS["imagenet"].pictures == VALIDATION.pattern
