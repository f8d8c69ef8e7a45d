"""Images are decoded ahead: once each, and those of the next unit while the model works on this one."""

import threading
from collections import Counter

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from bench.corruptions import Corruption
from bench.datasets.base import Dataset
from bench.datasets.content import Loaded
from bench.datasets.table import DataRoots
from bench.engine.plan import Unit
from bench.engine.session import Session, Subject
from bench.engine.work import Done, Failed, WorkQueue, in_process
from bench.record import Cell, Protocol, UnitKey
from bench.suites.base import Setup
from bench.testing import fake_model

EACH = 6
"""Images of a unit."""


class Watched(Dataset):
    """Images that tell when they are decoded, and how often."""

    name, labels, as_stored = "watched", "imagenet1k", True

    def __init__(self, count: int) -> None:
        super().__init__([f"{i:03d}" for i in range(count)], [0] * count)
        self.loaded = [threading.Event() for _ in range(count)]
        self.times: Counter[int] = Counter()

    def content(self) -> list[tuple[object, ...]]:
        return []

    def read(self, index: int) -> Image.Image:
        return Image.new("RGB", (32, 32), (index, 0, 0))

    def load(self, index: int) -> Loaded:
        self.times[index] += 1
        self.loaded[index].set()
        return Loaded(self.read(index), f"{index:016x}")


class Net(nn.Module):
    """Calls `before` with its images, then answers with the red level as its first logit."""

    def __init__(self) -> None:
        super().__init__()
        self.before = lambda _x: None

    def forward(self, x: Tensor) -> Tensor:
        self.before(x)
        return torch.nn.functional.pad(255 * x[:, 0, 0, :1], (0, 9))


def work(dataset: Dataset, *setups: Setup) -> tuple[Session, Net, list[Subject], WorkQueue]:
    session = Session(DataRoots({}), batch_size=EACH, readers=2)
    session._datasets[dataset.name, "", False] = dataset
    session.keep(f"sampled {dataset.shelf}", list)  # no sample that tells the set from others, which reads images too
    model = fake_model()
    model.mean.zero_()
    model.std.fill_(1)
    model.net = net = Net()
    subject = Subject.of(model, "canonical")
    protocol = Protocol("watched", "watched", len(dataset), "imagenet1k", "watched/clean", "made up")
    queue = WorkQueue(
        Unit(setup, UnitKey(start, start + EACH), ((0, Cell(setup.name, subject.fingerprint, {}, protocol)),))
        for setup in setups
        for start in range(0, len(dataset), EACH)
    )
    return session, net, [subject], queue


def levels(dones: list[object]) -> list[float]:
    """The first logit of every image, as its margin tells it."""
    found: list[float] = []
    for done in dones:
        assert isinstance(done, Done)
        for part in done.whole:
            found += part.records["margin"].to_pylist()
    return found


def test_the_next_units_images_are_decoded_while_the_model_works() -> None:
    dataset = Watched(3 * EACH)
    session, net, subjects, queue = work(dataset, Setup("watched"))

    def waits(x: Tensor) -> None:
        following = round(255 * float(x[-1, 0, 0, 0])) + 1
        if following < len(dataset):
            assert dataset.loaded[following].wait(20), f"image {following} waits for the model"

    net.before = waits
    dones = list(in_process(session, subjects, queue))
    assert levels(dones) == pytest.approx(range(3 * EACH))
    assert set(dataset.times.values()) == {1}


def test_a_batch_that_was_too_large_decodes_nothing_twice() -> None:
    dataset = Watched(3 * EACH)
    session, net, subjects, queue = work(dataset, Setup("watched"))

    def small(x: Tensor) -> None:
        if len(x) > EACH // 2:
            raise torch.OutOfMemoryError

    net.before = small
    assert levels(list(in_process(session, subjects, queue))) == pytest.approx(range(3 * EACH))
    assert session.batch_size == EACH // 2
    assert set(dataset.times.values()) == {1}


def test_conditions_on_the_same_images_share_what_was_decoded() -> None:
    dataset = Watched(2 * EACH)
    setups = [Setup("watched"), *(Setup("watched", corruption=Corruption("contrast", s)) for s in (1, 2))]
    session, _, subjects, queue = work(dataset, *setups)
    assert len(list(in_process(session, subjects, queue))) == 6
    assert set(dataset.times.values()) == {2}  # once as the model sees it, once as corruptions need it


def test_an_image_that_fails_costs_no_other_unit() -> None:
    dataset = Watched(2 * EACH)
    session, _, subjects, queue = work(dataset, Setup("watched"))
    load = dataset.load

    def fails(index: int) -> Loaded:
        if index == EACH:
            raise RuntimeError("a decoder's bug")
        return load(index)

    dataset.load = fails  # type: ignore[method-assign]
    done, *failed = in_process(session, subjects, queue)
    assert levels([done]) == pytest.approx(range(EACH))
    assert failed
    assert all(isinstance(each, Failed) and "a decoder's bug" in each.reason for each in failed)
