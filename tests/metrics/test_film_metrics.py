"""Flip rate and top-5 distance of films, as the authors' loops and code give them."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bench.metrics.base import MissingConditionError
from bench.metrics.films import TOP, flips, mean_stability, per_film, stability, top5_distance


def theirs(logits: NDArray[np.float64], *, noise: bool) -> tuple[float, float]:
    """Flip probability and top-5 distance of films [films, frames, classes], by the definitions, class by class."""
    classes = logits.shape[2]
    all_flips, all_distances = [], []
    for one in logits:
        rank = [
            np.argsort(np.argsort(-frame, kind="stable"), kind="stable") + 1 for frame in one
        ]  # of each class, from 1
        flip, distance = [], []
        for j in range(1, len(one)):
            i = 0 if noise else j - 1
            flip.append(one[i].argmax() != one[j].argmax())
            # for each of the five best of frame i: how many places within the first five its step to rank j crosses
            crossed = 0
            for c in range(classes):
                if rank[i][c] <= 5:
                    low, high = sorted((rank[i][c], rank[j][c]))
                    crossed += sum(1 for place in range(low + 1, high + 1) if 1 <= place - 1 <= 5)
            distance.append(crossed)
        all_flips.append(np.mean(flip))
        all_distances.append(np.mean(distance))
    return float(np.mean(all_flips)), float(np.mean(all_distances))


@pytest.mark.parametrize("noise", [True, False])
def test_flip_rate_and_top5_distance_are_those_of_the_papers_definition(noise: bool) -> None:
    rng = np.random.default_rng(3)
    logits = np.cumsum(rng.normal(size=(6, 7, 30)), axis=1)
    order = np.argsort(-logits, axis=2, kind="stable")[:, :, :5]
    rows = [
        {"image_id": f"film{f}#{j:03d}", "scored": True, **dict(zip(TOP, map(int, order[f, j]), strict=True))}
        for f in range(6)
        for j in range(7)
    ]
    records = pd.DataFrame(rows).sample(frac=1, random_state=0)
    expected = theirs(logits, noise=noise)
    assert per_film(records, flips, noise=noise).mean() == pytest.approx(expected[0])
    assert per_film(records, top5_distance, noise=noise).mean() == pytest.approx(expected[1])


@pytest.mark.parametrize(
    ("noise", "flip", "distance"), [(True, 0.975, 14.566666666666668), (False, 0.5125, 7.216666666666667)]
)
def test_they_are_what_the_authors_code_gave(noise: bool, flip: float, distance: float) -> None:
    """flip_prob and ranking_dist of hendrycks/robustness, ImageNet-P/test.py, on these 8 films of 31 frames."""
    logits = np.cumsum(np.random.default_rng(3).normal(size=(8, 31, 1000)), axis=1)
    order = np.argsort(-logits, axis=2, kind="stable")[:, :, :5]
    rows = [
        {"image_id": f"f{f}#{j:03d}", "scored": True, **dict(zip(TOP, map(int, order[f, j]), strict=True))}
        for f in range(8)
        for j in range(31)
    ]
    records = pd.DataFrame(rows)
    assert per_film(records, flips, noise=noise).mean() == pytest.approx(flip, abs=1e-12)
    assert per_film(records, top5_distance, noise=noise).mean() == pytest.approx(distance, abs=1e-12)


def test_frames_that_are_no_neighbours_are_not_compared() -> None:
    """Of a film whose frames alternate between two classes, every second frame alone would never flip."""
    records = pd.DataFrame(
        {"image_id": [f"a#{i:03d}" for i in range(8)], "scored": True} | {k: [0, 1] * 4 for k in TOP}
    )
    assert per_film(records, flips, noise=False).tolist() == [1.0]
    assert per_film(records[:5], flips, noise=False).tolist() == [1.0]
    for kept in (records[::2], records[1:]):
        with pytest.raises(MissingConditionError, match="x: no film was scored whole"):
            stability("x", flips, noise=False)({"x": kept})


def test_perturbations_of_one_photograph_are_no_independent_films() -> None:
    """Ten conditions with the same flips say what one says: value, n and interval are those of one."""
    rng = np.random.default_rng(0)
    rows = [(f"f{film}#{frame:03d}", int(rng.random() < film / 40)) for film in range(40) for frame in range(6)]
    frame = {"image_id": [name for name, _ in rows], "scored": True} | {k: [c for _, c in rows] for k in TOP}
    records = pd.DataFrame(frame)
    one = stability("a", flips, noise=False)({"a": records})
    ten = mean_stability({str(i): False for i in range(10)}, flips)({str(i): records for i in range(10)})
    assert (ten.value, ten.low, ten.high) == pytest.approx((one.value, one.low, one.high), abs=1e-12)
    assert (ten.n, one.n) == (40, 40)


def test_films_are_whole_and_have_five_classes_a_frame() -> None:
    frame = {"image_id": ["a#0", "a#1", "a#2", "c#0", "c#1", "d#0", "b#0", "b#1"], "scored": [True] * 7 + [False]}
    records = pd.DataFrame(frame | {name: [0, 0, 1, 0, 1, 0, 0, 1] for name in TOP})
    found = stability("x", flips, noise=False)({"x": records})
    assert (found.value, found.n, found.unscored) == (0.75, 2, 1)
    with pytest.raises(MissingConditionError, match="these records have no prediction_5"):
        stability("x", flips, noise=False)({"x": records.drop(columns="prediction_5")})
    with pytest.raises(MissingConditionError, match="x: no film was scored whole"):
        stability("x", flips, noise=False)({"x": records.assign(scored=False)})
