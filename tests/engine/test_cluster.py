"""The Ray executor: workers give what this process gives, whatever dies; what a worker lacks is said, not guessed."""

import dataclasses
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import bench
from bench.engine.execute import execute
from bench.engine.job import Cluster, Trouble, Worker
from bench.engine.run import Prepared, carry_out, prepare
from bench.errors import IncompleteError, UsageError
from bench.suites import base
from bench.testing import fake_model, write_pictures
from tests.engine.test_run import contents

PGD = {"eps": "8/255", "steps": 3, "step_size": "4/255"}

NETWORK = """
import os, torch
from pathlib import Path
from torch import nn

here = Path(__file__).parent

class Net(nn.Sequential):
    def forward(self, x):
        assert torch.get_num_threads() == 1
        if x.shape[0] == 7:  # the unit of seven images
            if not (here / "died").exists():
                (here / "died").touch()
                os._exit(9)
            if (here / "cursed").exists():
                raise ValueError("seven again")
        return super().forward(x)

def make():
    torch.manual_seed(0)
    return Net(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 1000))
"""


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "UNIT_IMAGES", 10)
    monkeypatch.setattr(base, "ATTACK_UNIT_IMAGES", 10)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # here too: then floats are equal to the bit


@pytest.fixture(scope="module")
def two_workers() -> Iterator[dict[str, int]]:
    """One Ray for all tests of this file, which they find running."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    import ray

    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield {"workers": 2}
    ray.shutdown()


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A user's own model, which dies at its first unit of seven images."""
    (tmp_path / "net.py").write_text(NETWORK)
    return f"file:{tmp_path}/net.py:make?size=32&resize=36&mean=0.5,0.5,0.5&std=0.5,0.5,0.5&classes=1000"


def worker(prepared: Prepared, **changes: object) -> Worker:
    return Worker(dataclasses.replace(prepared.job, **changes))  # type: ignore[arg-type]


def test_a_worker_gives_what_the_driver_would(imagenet: Path, tmp_path: Path) -> None:
    model = fake_model()
    prepared = prepare(model, "pgd", data=imagenet, out=tmp_path, batch_size=5, seed=3, limit=12, **PGD)
    made = worker(prepared)
    environment = made.ready()
    assert isinstance(environment, dict)
    assert (made.session.batch_size, made.session.seed, made.session.limit) == (5, 3, 12)
    assert environment["threads"] == 1
    for unit in prepared.todo:
        (given,) = execute(prepared.session, prepared.plan.subjects, unit)
        answer = made.do(unit)
        assert isinstance(answer, list)
        assert answer[0].records.equals(given.records)


def test_a_worker_decodes_what_it_is_told_to_expect(imagenet: Path, tmp_path: Path) -> None:
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path, limit=20)
    first, following = prepared.todo[:2]
    told, not_told = worker(prepared), worker(prepared)
    told.do(first, following)
    assert [index for _, index, _ in told.session.coming] == list(range(following.key.start, following.key.stop))
    not_told.do(first)
    assert not not_told.session.coming
    assert told.do(following) == not_told.do(following)
    closed = dataclasses.replace(following, setup=dataclasses.replace(following.setup, dataset="imagenet-a"))
    assert isinstance(
        told.do(first, closed), list
    )  # sets are opened and compared with the driver's when their turn comes
    elsewhere = dataclasses.replace(following, cells=((7, following.cells[0][1]),))
    assert isinstance(told.do(first, elsewhere), list)


def test_a_worker_of_other_packages_is_unfit(imagenet: Path, tmp_path: Path) -> None:
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path)
    answer = worker(prepared, packages={"torch": "0.4"}).ready()
    assert isinstance(answer, Trouble)
    assert answer.unfit
    assert f"torch {torch.__version__.split('+')[0]} (driver: 0.4)" in answer.reason


def test_a_worker_with_other_weights_or_other_pictures_is_unfit(imagenet: Path, tmp_path: Path) -> None:
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path / "out")
    answer = worker(prepared, models=(fake_model(seed=1),)).do(prepared.todo[0])
    assert isinstance(answer, Trouble)
    assert answer.unfit
    assert "model fake has weights" in answer.reason
    other = write_pictures(tmp_path / "imagenet", ["n01440764"], 2)
    settings = dataclasses.replace(prepared.job.settings, data=str(other))
    answer = worker(prepared, settings=settings).do(prepared.todo[0])
    assert isinstance(answer, Trouble)
    assert "data set imagenet has manifest" in answer.reason


def test_a_failing_unit_is_no_fault_of_the_worker(imagenet: Path, tmp_path: Path) -> None:
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path)
    made = worker(prepared)
    made.session.batch_size = 0
    answer = made.do(prepared.todo[0])
    assert isinstance(answer, Trouble)
    assert not answer.unfit


def test_without_ray_the_command_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert Cluster.wanted(None, None) is None
    with pytest.raises(UsageError, match=r"pip install 'robust-imagenet-bench\[ray\]'"):
        Cluster.wanted("auto", None)


def test_workers_that_die_change_nothing_and_a_cursed_unit_is_given_up(
    two_workers: dict[str, int], imagenet: Path, tmp_path: Path, own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    models, options = [own, fake_model()], {"data": imagenet, "limit": 27, "reliability": 2, **PGD}
    (tmp_path / "cursed").touch()
    prepared = prepare(models, "imagenet,pgd", out=tmp_path / "ray", **two_workers, **options)
    with pytest.raises(IncompleteError, match=r"(?s)2 units were given up.*imagenet/clean \[20, 27\).*seven again"):
        carry_out(prepared)
    said = capsys.readouterr().err
    assert "attempt 1 failed, tried again: its worker died" in said
    assert "attempt 3 failed, given up" in said
    (tmp_path / "cursed").unlink()
    rest = prepare(models, "imagenet,pgd", out=tmp_path / "ray", **two_workers, **options)
    assert {unit.key.start for unit in rest.todo} == {20}
    carry_out(dataclasses.replace(rest, cluster=None), quiet=True)
    bench.run(models, "imagenet,pgd", out=tmp_path / "here", quiet=True, **options)
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")
    assert len(list((tmp_path / "ray").rglob("reliability.json"))) == 2


def test_a_cluster_that_does_not_answer_is_a_usage_error(imagenet: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    import ray

    ray.shutdown()
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path, ray="127.0.0.1:1")
    with pytest.raises(UsageError, match="cannot start or join Ray"):
        carry_out(prepared, quiet=True)


def test_ray_that_takes_too_long_to_start_is_a_usage_error(
    imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray raises a plain `Exception` then, as a busy machine showed."""
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")

    def late(**_options: object) -> None:
        raise Exception("The current node timed out during startup.")

    ray.shutdown()
    monkeypatch.setattr(ray, "init", late)
    prepared = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path, workers=2)
    with pytest.raises(UsageError, match="cannot start or join Ray: The current node timed out"):
        carry_out(prepared, quiet=True)
