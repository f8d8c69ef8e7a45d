"""The queue that every executor takes from, and the executor in this process: bounded attempts, the rest goes on."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.engine.contract import PICTURES
from bench.engine.run import carry_out, prepare
from bench.engine.work import ATTEMPTS, WorkQueue
from bench.errors import IncompleteError, StoreError
from bench.suites import base
from bench.testing import fake_model
from model_zoo.model import Model


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "UNIT_IMAGES", 10)


class Moody(nn.Module):
    """Raises at the calls whose numbers (from 1) are in `bad`; the looks at what it is count as none."""

    def __init__(self, net: nn.Module, bad: set[int]) -> None:
        super().__init__()
        self.net, self.calls = net, 0
        self.fails = iter([number in bad for number in range(1, 100)])  # an iterator is no part of what a model is

    def forward(self, x: Tensor) -> Tensor:
        looked_at = len(x) <= PICTURES  # the first look at what it is and how it answers
        self.calls += not looked_at
        if not looked_at and next(self.fails):
            raise RuntimeError("CUDA error: the bus fell off")
        return self.net(x)  # type: ignore[no-any-return]


def moody(bad: set[int]) -> Model:
    model = fake_model()
    model.net = Moody(model.net, bad).eval()
    return model


def test_a_worker_stays_with_its_pictures_and_away_from_those_of_others(imagenet: Path, tmp_path: Path) -> None:
    prepared = prepare(fake_model(), "imagenet,imagenet-c-live", data=imagenet, out=tmp_path, limit=20)
    queue = WorkQueue(prepared.todo)
    first = queue.take()
    assert first
    assert first is prepared.todo[0]
    second = queue.take(others=[first.block])
    assert second
    assert second.block != first.block
    expected = queue.next([first.block], others=[first.block, second.block])
    third = queue.take([first.block], others=[first.block, second.block])
    assert third
    assert third is expected
    assert third.block == first.block
    assert len(queue) == len(prepared.todo) - 3
    left = [queue.take([first.block]) for _ in range(len(queue))]
    assert all(left)
    assert queue.take() is None


def test_a_unit_that_fails_once_is_tried_again(
    imagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.run(moody(set()), "imagenet", data=imagenet, out=tmp_path / "calm", quiet=True)
    model = moody({2})
    bench.run(model, "imagenet", data=imagenet, out=tmp_path / "moody")
    said = capsys.readouterr().err
    assert "attempt 1 failed, tried again: RuntimeError: CUDA error: the bus fell off (test_work.py:" in said
    calm, other = (bench.records(tmp_path / name) for name in ("calm", "moody"))
    assert calm.equals(other)


def test_a_unit_that_keeps_failing_is_given_up_and_the_others_finish(imagenet: Path, tmp_path: Path) -> None:
    prepared = prepare(moody({2, 3, 4}), "imagenet", data=imagenet, out=tmp_path)
    assert len(prepared.todo) == 4
    with pytest.raises(IncompleteError, match=r"1 unit was given up, 3 done.*\[10, 20\).*the bus fell off"):
        carry_out(prepared, quiet=True)
    again = prepare(moody(set()), "imagenet", data=imagenet, out=tmp_path)
    assert [unit.key.start for unit in again.todo] == [10]


def test_a_model_that_never_works_ends_the_run_early(imagenet: Path, tmp_path: Path) -> None:
    model = moody(set(range(1, 100)))
    with pytest.raises(IncompleteError, match=r"1 unit was given up, 0 done.*the bus fell off"):
        bench.run(model, "imagenet", data=imagenet, out=tmp_path, quiet=True)
    assert model.net.calls == ATTEMPTS
    with pytest.raises(StoreError, match="no results here"):
        bench.results(tmp_path)


def test_out_of_memory_halves_the_batch(imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.engine import execute

    sizes = []
    measure = execute.measure

    def tight(session, subject, setup, batch):  # type: ignore[no-untyped-def]
        sizes.append(len(batch.indices))
        if len(batch.indices) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return measure(session, subject, setup, batch)

    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path / "whole", quiet=True)
    monkeypatch.setattr(execute, "measure", tight)
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path / "tight", batch_size=8, quiet=True)
    assert sizes[:3] == [8, 4, 2]
    whole, tight_records = (bench.records(tmp_path / name) for name in ("whole", "tight"))
    assert whole["prediction"].equals(tight_records["prediction"])
