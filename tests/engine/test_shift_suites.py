"""Suites on sets with label spaces of their own, from a folder to their metrics."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bench
from bench.datasets.labels import imagenet_wnids, label_space
from bench.errors import UsageError
from bench.testing import fake_model, write_pictures


def test_imagenet_a_is_scored_among_200_and_among_1000_classes(tmp_path: Path) -> None:
    space = label_space("imagenet-a-200")
    wnids = [imagenet_wnids()[space.members[i][0]] for i in (0, 7, 199)]
    write_pictures(tmp_path / "imagenet-a", wnids, 6)
    (tmp_path / "imagenet-a" / wnids[0] / "broken.JPEG").write_bytes(b"no image")
    model = fake_model()
    table = bench.run(model, "imagenet-a", data=tmp_path, out=tmp_path / "out", quiet=True).set_index("metric")
    assert {"accuracy_200", "accuracy_1000", "ece", "nll"} <= set(table.index)
    assert table.loc["accuracy_200", "unscored"] == 1
    records = bench.records(tmp_path / "out")
    scored = records[records["scored"]]
    everywhere = scored["prediction_all"].to_numpy(dtype=int)
    among = np.array([space.members[p][0] for p in scored["prediction"].astype(int)])
    assert scored["prediction"].between(0, 199).all()
    inside = np.isin(everywhere, [m for (m,) in space.members])
    np.testing.assert_array_equal(among[inside], everywhere[inside])


def test_cue_conflict_from_files_to_shape_bias(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "cat").mkdir()
    for i in range(6):
        picture = Image.fromarray(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8))
        picture.save(tmp_path / "cat" / f"cat{i}-elephant1.png")
    table = bench.run(fake_model(), "cue-conflict", data=tmp_path, out=tmp_path / "out", quiet=True).set_index("metric")
    assert table.loc["shape_accuracy", "n"] == 6
    assert table.loc["shape_bias", "n"] <= 6
    assert (bench.records(tmp_path / "out")["label"] == 7).all()


def test_attacks_are_refused_where_labels_are_not_the_models_classes(tmp_path: Path) -> None:
    wnid = imagenet_wnids()[label_space("imagenet-r-200").members[0][0]]
    write_pictures(tmp_path, [wnid], 1)
    with pytest.raises(UsageError, match="imagenet-r-200"):
        bench.run(fake_model(), "pgd", dataset="imagenet-r", data=f"imagenet-r={tmp_path}", out=tmp_path / "out")
