"""The cost model holds against list scheduling played out, and `--dry-run` tells what it gives."""

import heapq
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.engine import cost
from bench.engine.cost import ScalingCost
from bench.engine.estimate import estimate
from bench.engine.job import Cluster
from bench.engine.run import prepare
from bench.testing import fake_model


def played(units: list[float], workers: int) -> float:
    """Each idle worker takes the next unit; when the last is done."""
    free = [0.0] * workers
    for unit in units:
        heapq.heapreplace(free, free[0] + unit + cost.HAND_OVER_SECONDS)
    return max(free)


@given(units=st.lists(st.floats(0.5, 60), min_size=1, max_size=60), workers=st.sampled_from([1, 2, 8, 64]))
def test_a_schedule_never_takes_longer_than_the_model_says(units: list[float], workers: int) -> None:
    said = ScalingCost(sum(units), len(units), max(units)).wall(workers) - cost.START_SECONDS
    real = played(units, workers)
    assert real <= said + cost.HAND_OVER_SECONDS + 1e-6
    assert said <= real + max(units) + len(units) * cost.WRITE_SECONDS


def test_a_driver_that_only_writes_sets_the_limit() -> None:
    tiny = ScalingCost(seconds=1000.0, units=100_000, longest=0.01)
    assert tiny.wall(512) - cost.START_SECONDS == pytest.approx(100_000 * cost.WRITE_SECONDS)
    assert tiny.efficiency(512) < tiny.efficiency(1)


@pytest.mark.parametrize(("workers", "said"), [(None, ["on 1, ", "on 8, ", "on 64, ", "on 512"]), (3, ["on 3"])])
def test_a_dry_run_tells_it(
    workers: int | None, said: list[str], imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "wanted", lambda *_: workers and Cluster(None, workers))  # planning needs no Ray
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path, workers=workers)
    *_, last = estimate(prepared)
    assert "extrapolated" in last
    assert all(text in last for text in said)
    assert last.count(" on ") == len(said)
