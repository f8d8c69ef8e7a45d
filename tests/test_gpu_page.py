"""`make gpu` executes: its page on the pretend accelerator, in its tiny form."""

import pytest
import torch

from benchmarks import gpu
from tests import pretend

PLACE = pretend.install()  # before the first backward pass of the process, as torch asks


def test_the_page_is_written() -> None:
    lines = list(gpu.page(torch.device("cpu"), gpu.TINY))
    assert [line for line in lines if line.startswith("FAILED")] == []


def test_an_accelerator_agrees_with_the_host() -> None:
    rows = [line for line in gpu.agreement(PLACE, gpu.TINY) if "| 0 of 4 |" in line]
    assert len(rows) == len(gpu.attacks(2))


def test_a_part_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such kernel")

    for name in ("corruptions", "speed", "precision", "live", "out_of_memory"):
        monkeypatch.setattr(gpu, name, broken)
    lines = list(gpu.page(torch.device("cpu"), gpu.TINY))
    assert sum(line == "FAILED: RuntimeError: no such kernel" for line in lines) == 5
