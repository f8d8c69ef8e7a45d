"""`run.json` and `reliability.json`: what is written is what is read, by one record each."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import StoreError
from bench.manifest import RunEntry, RunManifest, RunModel, put_manifest, read_manifest
from bench.options import RunOptions
from bench.store import Store
from bench.testing import write_results
from bench.verdict import LEVELS, Verdict, has_verdict, put_verdict, read_verdict

OPTIONS = RunOptions(reliability=0, targeted=False, eps="4/255,8/255", shard="1/2")
MANIFEST = RunManifest(
    {"m": RunModel("f" * 64, "sat", "resnet50", 3, {"size": 224, "mean": [0.5, 0.5, 0.5]}, "m")},
    (RunEntry("pgd", "m", "imagenet/clean", "0" * 16, 5, 200),),
    {"pgd": 1},
    {"models": ["m"], "suites": ["pgd"], **OPTIONS.to_json()},
    limit=5,
    environment={"python": "3.11"},
)
VERDICT = Verdict(
    "doubtful", ("a", "b"), "4/255", "linf", 9, 7, None, ({"name": "flat_loss", "value": 0.1},), {"transfer": "alone"}
)


def test_a_run_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert put_manifest(store, MANIFEST) == MANIFEST.id
    read = read_manifest(store, MANIFEST.id)
    assert read == MANIFEST
    assert read.options == OPTIONS
    assert read.to_json() == MANIFEST.to_json()


def test_a_run_is_named_by_its_plan_alone() -> None:
    assert replace(MANIFEST, given={}, environment={}).id == MANIFEST.id
    for other in (replace(MANIFEST, seed=1), replace(MANIFEST, limit=None), replace(MANIFEST, suites={"pgd": 2})):
        assert other.id != MANIFEST.id


def test_a_run_of_other_options_is_read_without_them() -> None:
    assert replace(MANIFEST, given={"epsilon": 3}).options is None
    assert replace(MANIFEST, given={"eps": "['4/255']"}).options is None
    assert replace(MANIFEST, given={}).options == RunOptions()


def test_keys_of_later_versions_are_passed_over_and_other_formats_are_not(tmp_path: Path) -> None:
    store, content = Store(tmp_path), json.loads(MANIFEST.to_json())
    store.put("runs/a/run.json", json.dumps({**content, "new": 1}).encode())
    assert read_manifest(store, "a") == MANIFEST
    store.put("runs/b/run.json", json.dumps({**content, "format": 2}).encode())
    with pytest.raises(StoreError, match=r"another version of bench \(format 2"):
        read_manifest(store, "b")


def test_the_fake_folder_has_runs_that_are_read(tmp_path: Path) -> None:
    write_results(tmp_path, "m", {"imagenet": {"imagenet/clean": 0.5}}, n=4, version=3)
    (run,) = Store(tmp_path).names("runs")
    read = read_manifest(Store(tmp_path), run)
    assert (read.id, read.suites, read.options) == (run, {"imagenet": 3}, RunOptions())


@pytest.mark.parametrize("verdict", [VERDICT, replace(VERDICT, surrogate="other"), Verdict("not assessed", ("x",))])
def test_a_verdict_comes_back(tmp_path: Path, verdict: Verdict) -> None:
    store = Store(tmp_path)
    assert read_verdict(store, "c") == Verdict()
    put_verdict(store, "c", verdict)
    assert has_verdict(store, "c")
    assert read_verdict(store, "c") == verdict


@pytest.mark.parametrize(
    "content", ['{"level": ""}', "{}", '{"level": "reliable"}', '{"level": "fine"}', '{"level": ["reliable"]}', "[]"]
)
def test_a_verdict_without_a_level_is_damaged(tmp_path: Path, content: str) -> None:
    store = Store(tmp_path)
    store.put("cells/c/reliability.json", content.encode())
    with pytest.raises(StoreError, match="damaged"):
        read_verdict(store, "c")


def test_the_worst_of_verdicts() -> None:
    assert [Verdict.worst(Verdict(level) for level in LEVELS[:n]).level for n in range(1, 6)] == list(LEVELS)
    assert Verdict.worst([]) == Verdict()
    assert VERDICT.reasons == "a; b"
