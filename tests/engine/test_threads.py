"""How many threads the network gets."""

import os

import pytest
import torch

from bench.engine.session import settle_torch, usable_cores


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", found.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return found


def test_all_cores_that_the_process_may_use_unless_told(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 5}, raising=False)
    settle_torch()
    settle_torch(2)
    assert asked == [3, 2]
    assert usable_cores() == 3


def test_the_environment_decides_where_nothing_is_typed(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    settle_torch()
    assert asked == []
    settle_torch(2)
    assert asked == [2]
