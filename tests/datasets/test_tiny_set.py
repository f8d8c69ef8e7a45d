"""The tiny splits as data sets, and the tiny suites on them."""

import numpy as np
import pytest

import bench
from bench.datasets import tiny
from bench.datasets.base import Dataset
from bench.datasets.table import DataRoots, open_dataset
from bench.datasets.tiny_set import COUNT, SPLIT_OF, TinyDataset
from bench.errors import DataError
from bench.metrics.shape_bias import cues_of
from bench.suites.registry import SUITES
from bench.testing import fake_model

NOWHERE = DataRoots({})


def opened(name: str) -> Dataset:
    return open_dataset(name, NOWHERE)


@pytest.mark.parametrize("name", SPLIT_OF)
def test_every_set_opens_without_a_folder_and_reads_what_the_generator_draws(name: str) -> None:
    dataset = opened(name)
    last = len(dataset) - 1
    expected = tiny.generate(SPLIT_OF[name], 1, start=last)
    assert np.array_equal(np.asarray(dataset.read(last)), expected.images[0])
    assert dataset.targets[last] == expected.labels[0]
    assert len(set(dataset.ids)) == len(dataset)
    assert (dataset.labels, dataset.subset) == ("tiny10", "")


def test_the_default_is_the_seed_that_tuning_never_saw() -> None:
    assert opened("tiny").ids[0] == f"val-{tiny.REPORT_SEED}-000000"


def test_manifest_tells_seeds_counts_and_versions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = {TinyDataset("tiny", n, seed).manifest for n in (10, 11) for seed in (1, 2)}
    assert len(hashes) == 4
    monkeypatch.setattr(tiny, "VERSION", "another")
    assert TinyDataset("tiny", 10, 1).manifest not in hashes


def test_cue_conflict_ids_tell_shape_and_texture() -> None:
    members = tiny.describe("cue-conflict", COUNT)
    cues = np.array([cues_of(image_id, tiny.CLASSES) for image_id in opened("tiny-cue-conflict").ids])
    assert np.array_equal(cues, np.stack([members.labels, members.texture_labels], axis=1))


def test_a_part_is_refused() -> None:
    with pytest.raises(DataError, match="no parts"):
        open_dataset("tiny", NOWHERE, "fog/3")


def test_suites_run_on_any_ten_way_model_without_data(tmp_path) -> None:
    suites = ["tiny", "tiny-a", "tiny-stylized", "tiny-cue-conflict"]
    frame = bench.run(fake_model(classes=10), suites, limit=20, out=tmp_path, quiet=True)
    headlines = frame[frame["condition"] == "all"]
    for suite in suites:
        chosen = headlines[(headlines["suite"] == suite) & (headlines["metric"] == SUITES[suite].headline)]
        assert len(chosen) == 1


def test_pgd_and_corruption_suites_have_the_stated_conditions() -> None:
    card = fake_model(classes=10).card
    from bench.options import RunOptions

    pgd = [condition.name for condition in SUITES["tiny-pgd"].conditions(card, RunOptions())]
    assert pgd == ["tiny/clean", "tiny/pgd-linf-eps8_255-k20-a1_255-r1-untargeted"]
    corrupted = [condition.name for condition in SUITES["tiny-c"].conditions(card, RunOptions())]
    assert len(set(corrupted)) == 75
    assert "tiny/fog/3" in corrupted


def test_a_model_of_another_label_space_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="10"):
        bench.run(fake_model(classes=1000), "tiny", limit=5, out=tmp_path, quiet=True)
