"""Small parts of the engine by themselves: quick tests of what a whole run would show late."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bench.engine.contract import check_subjects
from bench.engine.keeping import keep_pictures
from bench.engine.manifest import put_environment
from bench.engine.pictures import PictureCache, Viewed
from bench.engine.plan import Unit
from bench.engine.progress import Lines, Silent, reporter
from bench.engine.reliability import ReliabilityCheck, _shown
from bench.engine.run import prepare
from bench.engine.tally import SHOWN, Tally
from bench.engine.work import Done, Failed, without_cells
from bench.errors import IncompleteError
from bench.folder.kept import KeptPictures
from bench.record import Cell, Protocol, UnitKey
from bench.store import Store
from bench.suites.base import Setup
from bench.suites.tiny import pgd20
from model_zoo import load_model


def unit(start: int = 10, stop: int = 30, models: int = 3) -> Unit:
    protocol = Protocol("tiny", "m", 100, "tiny10", "tiny/clean", "made up")
    cells = tuple((i, Cell(f"m{i}", f"f{i}", {}, protocol)) for i in range(models))
    return Unit(Setup("tiny"), UnitKey(start, stop), cells)


def test_a_unit_counts_images_times_models() -> None:
    assert unit(10, 30, 3).images == 60


def test_cells_that_are_no_longer_needed_leave_a_unit() -> None:
    whole = unit(models=2)
    first, second = whole.cells
    assert without_cells(whole, []) == whole
    assert without_cells(whole, {first[1].id}) == replace(whole, cells=(second,))
    assert without_cells(whole, {first[1].id, second[1].id}) is None


@pytest.mark.parametrize("failures", [SHOWN, SHOWN + 1])
def test_a_summary_lists_twenty_failures_and_counts_the_rest(failures: int) -> None:
    tally = Tally()
    for n in range(failures):
        tally.failed(Failed(unit(n, n + 1), "broke", 3, final=True))
        tally.failed(Failed(unit(n, n + 1), "broke", 1, final=False))
    tally.count(Done(unit(), []))
    with pytest.raises(IncompleteError) as refused:
        tally.check()
    text = str(refused.value)
    assert text.startswith(f"{failures} units were given up, 1 done and stored: ")
    assert text.count("broke") == 20
    assert ("and 1 more" in text) == (failures > 20)


def test_nothing_is_told_when_quiet_or_without_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert type(reporter(10)) is Lines
    assert type(reporter(10, quiet=True)) is Silent
    assert type(reporter(0, checks=2)) is Silent
    assert type(reporter(0)) is Silent


def test_an_environment_is_written_once_for_each_different_one(tmp_path: Path) -> None:
    store, where = Store(str(tmp_path)), {"python": "3", "threads": 1}
    for given in (where, where, {**where, "threads": 2}):
        put_environment(store, "run", given)
    files = (tmp_path / "runs" / "run").glob("environment-*.json")
    threads = sorted(json.loads(file.read_text("utf-8"))["threads"] for file in files)
    assert threads == [1, 2]


def test_the_cache_has_an_image_only_in_views_that_it_was_given() -> None:
    cache, view, other = PictureCache(10**6), None, load_model("tiny_at").card.input
    cache.put(("a", 0), Viewed({view: np.zeros((8, 8, 3), np.uint8)}))
    assert cache.in_memory(("a", 0), [view]) is not None
    assert cache.in_memory(("a", 0), [view, other]) is None
    assert cache.in_memory(("a", 1), [view]) is None


def test_the_cache_drops_the_image_that_was_used_longest_ago() -> None:
    cache = PictureCache(2 * 192)
    for index in (0, 1):
        cache.put(("a", index), Viewed({None: np.zeros((8, 8, 3), np.uint8)}))
    cache.in_memory(("a", 0), [None])
    cache.put(("a", 2), Viewed({None: np.zeros((8, 8, 3), np.uint8)}))
    assert [cache.in_memory(("a", index), [None]) is not None for index in range(3)] == [True, False, True]
    assert cache.used == 2 * 192


def test_a_check_reads_the_surviving_images_of_its_records(tmp_path: Path) -> None:
    prepared = prepare("tiny_at", "tiny-pgd", limit=4, out=str(tmp_path))
    session, subject = prepared.session, prepared.plan.subjects[0]
    entry = next(entry for entry in prepared.plan.entries if entry.setup.attack)
    check = ReliabilityCheck(entry, 4, None)
    assert _shown(session, subject, check) is None
    none = _shown(session, subject, replace(check, standing=(), share=0.0))
    assert none is not None
    assert (none.ids, len(none.images)) == ([], 0)
    some = _shown(session, subject, replace(check, standing=(0, 3), share=0.5))
    assert some is not None
    assert list(some.ids) == [session.dataset_of(entry.setup).ids[i] for i in (0, 3)]
    assert (some.images.shape, some.share) == ((2, 3, 32, 32), 0.5)


@pytest.mark.parametrize(
    ("attacked", "adversarial", "index"), [(True, True, 2), (True, False, 0), (False, True, 0), (False, False, 0)]
)
def test_nothing_is_kept_of_later_images_nor_without_attacked_ones(
    tmp_path: Path, attacked: bool, adversarial: bool, index: int
) -> None:
    setup = Setup("tiny", attack=pgd20() if attacked else None)
    found: Any = SimpleNamespace(adversarial=torch.zeros(1, 3, 2, 2) if adversarial else None)
    unused: Any = None
    keep_pictures(KeptPictures(tmp_path / "kept", 2), unused, "a", setup, [index], found)
    assert not (tmp_path / "kept").exists()


def test_the_contract_allows_random_outputs_of_randomised_models_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare("tiny_at", "tiny", limit=2, out=str(tmp_path))
    asked: list[bool] = []

    def check(*_: object, randomised: bool = False) -> None:
        asked.append(randomised)

    monkeypatch.setattr("bench.engine.contract.check_model", check)
    setups = {0: prepared.plan.entries[0].setup}
    for randomised in ({0}, {1}, set[int]()):
        check_subjects(prepared.session, prepared.plan.subjects, setups, randomised)
    assert asked == [True, False, False]
