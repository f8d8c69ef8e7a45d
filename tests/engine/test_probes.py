"""Diagnostics as units of work: what is measured merges, resumes and is checked like records."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import bench
from bench.condition import Condition
from bench.diagnostics import batchnorm
from bench.diagnostics.collect import collecting
from bench.diagnostics.table import merged
from bench.engine.batches import to_images
from bench.engine.run import carry_out, prepare
from bench.errors import IncompleteError, UsageError
from bench.folder.merge import merge
from bench.folder.reader import ResultsFolder
from bench.folder.tables import require_complete
from bench.suites import diagnostics
from bench.testing import fake_model, write_pictures
from model_zoo.model import Model
from tests.rounding import assert_same_moments

OPTIONS = {"eps": "8/255", "steps": 2, "step_size": "4/255"}


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    for probe in (batchnorm.MomentsProbe, batchnorm.ConsistencyProbe, batchnorm.AdaptationProbe):
        monkeypatch.setattr(probe, "unit_images", 10)
    monkeypatch.setattr(diagnostics, "NAMES", ("fog",))


def run(out: Path, data: Path, suite: str = "batchnorm", model: Model | None = None, **options: object) -> pd.DataFrame:
    chosen = {**OPTIONS, **options}
    return bench.run(model or fake_model(), suite, data=data, out=out, quiet=True, **chosen)


def measured(folder: Path) -> dict[str, pd.DataFrame]:
    found = ResultsFolder(str(folder))
    cells = [found.load(cell_id) for cell_id in found.cells]
    return {c.cell.protocol.condition: merged(c.measurements).to_pandas() for c in cells if c.measurements}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}


def test_moments_are_those_of_one_forward_over_all_images(imagenet: Path, tmp_path: Path) -> None:
    run(tmp_path, imagenet)
    (found,) = (frame for name, frame in measured(tmp_path).items() if name.startswith("imagenet/clean:"))
    prepared = prepare(fake_model(), "clean", data=imagenet, out=tmp_path / "none")
    subject, session = prepared.plan.subjects[0], prepared.session
    from bench.engine.batches import read_sample
    from bench.suites.base import Setup

    dataset = session.dataset("imagenet")
    batch = read_sample(session, dataset, Setup("imagenet"), list(range(36)), subject.spec)
    with collecting(subject.model) as whole, torch.inference_mode():
        subject.model(to_images(batch.pictures[subject.spec]))
    (moments,) = whole.moments.values()
    assert found["images"].unique().tolist() == [36]
    assert found["layer"].unique().tolist() == ["net.1"]
    assert_same_moments((found["mean"], found["variance"]), (moments.mean, moments.variance), 256, 27)


def test_shards_merged_are_the_whole_bytes(imagenet: Path, tmp_path: Path) -> None:
    run(tmp_path / "whole", imagenet)
    parts = [str(tmp_path / f"part{i}") for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        run(Path(part), imagenet, shard=f"{i}/3")
    merge(parts, str(tmp_path / "merged"))
    assert files(tmp_path / "merged") == files(tmp_path / "whole")
    pd.testing.assert_frame_equal(bench.results(tmp_path / "merged"), bench.results(tmp_path / "whole"))


@pytest.mark.parametrize("harm", ["cut", "delete"])
def test_a_harmed_measurement_is_told_and_done_again(imagenet: Path, tmp_path: Path, harm: str) -> None:
    run(tmp_path, imagenet)
    before = files(tmp_path)
    harmed = sorted(tmp_path.rglob("*.measurement.*"))[0]
    harmed.unlink() if harm == "delete" else harmed.write_bytes(harmed.read_bytes()[:100])
    with pytest.raises(IncompleteError, match="measurement"):
        require_complete(bench.results(tmp_path).attrs["problems"], "here")
    again = prepare(fake_model(), "batchnorm", data=imagenet, out=tmp_path, **OPTIONS)
    assert len(again.todo) == 1
    carry_out(again, quiet=True)
    assert files(tmp_path) == before
    assert prepare(fake_model(), "batchnorm", data=imagenet, out=tmp_path, **OPTIONS).todo == []


def test_results_hold_the_numbers_of_records_and_of_measurements(imagenet: Path, tmp_path: Path) -> None:
    table = run(tmp_path, imagenet)
    numbers = table[table["condition"] == "all"].set_index("metric")["value"]
    (said,) = (line for line in table.attrs["remarks"] if "with the statistics of" in line)
    assert said.endswith("numbers with the statistics of 64 and 256 images have those of all 36: there are no more")
    assert {"clean_accuracy_batch64", "adapted_accuracy_n0", "clean_shift", "adversarial_shift"} <= set(numbers.index)
    frames = measured(tmp_path)
    clean = next(f for name, f in frames.items() if not (c := Condition.parse(name)).attack and not c.corruption)
    own = (clean["mean"] - clean["stored_mean"]) / np.sqrt(clean["stored_variance"] + 1e-5)
    assert numbers["clean_shift"] == pytest.approx(own.abs().median(), rel=1e-6)
    assert not table["reliability"].any()


def test_margin_and_smoothness_are_columns_of_records(imagenet: Path, tmp_path: Path) -> None:
    bench.run(fake_model(), "margin,smoothness", data=imagenet, out=tmp_path, quiet=True, eps="8/255", steps=5)
    records = bench.records(tmp_path)
    margin = records[records["suite"] == "margin"]
    assert len(margin) == 36
    wrong = margin["prediction"] != margin["label"]
    assert (margin.loc[wrong, "distance"] == 0).all()
    assert records.loc[records["suite"] == "smoothness", "gradient_l1"].gt(0).all()


def test_batches_are_mixtures_of_classes(imagenet: Path, tmp_path: Path) -> None:
    session = prepare(fake_model(), "clean", data=imagenet, out=tmp_path).session
    plain, mixed = session.dataset("imagenet"), session.dataset("imagenet", shuffled=True)
    assert len(set(plain.targets[:6])) == 1
    assert len(set(mixed.targets[:6])) > 1
    assert sorted(mixed.ids) == sorted(plain.ids)
    assert mixed.manifest != plain.manifest


def test_another_domain_is_looked_at_only_where_it_has_a_folder(imagenet: Path, tmp_path: Path) -> None:
    plan = prepare(fake_model(), "batchnorm", data=imagenet, out=tmp_path, **OPTIONS).plan
    assert {entry.setup.dataset for entry in plan.entries} == {"imagenet"}
    tiny = prepare("tiny_std", "batchnorm", out=tmp_path, limit=5).plan
    assert {entry.setup.dataset for entry in tiny.entries} == {"tiny", "tiny-a", "tiny-stylized"}


def test_gradients_are_not_taken_of_some_of_a_models_classes(tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "imagenet-a", ("n01498041", "n01531178"), 1)
    with pytest.raises(UsageError, match="all of a model's classes"):
        prepare(fake_model(), "margin", dataset="imagenet-a", data=data, out=tmp_path)
