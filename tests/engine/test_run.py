"""A run from models to records: equal however it is interrupted, sharded or batched."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import bench
from bench.engine.contract import PICTURES
from bench.engine.plan import units
from bench.engine.run import Prepared, carry_out, prepare
from bench.errors import DataError, IncompleteError, StoreError, UsageError
from bench.folder.merge import merge
from bench.folder.tables import require_complete
from bench.suites import base
from bench.testing import fake_model

PGD = {"eps": "8/255", "steps": 3, "step_size": "4/255"}


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "UNIT_IMAGES", 10)
    monkeypatch.setattr(base, "ATTACK_UNIT_IMAGES", 10)


def frame(directory: Path) -> pd.DataFrame:
    return bench.records(directory).sort_values(["model", "condition", "image_id"], ignore_index=True)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*.parquet")}


class KilledError(BaseException):
    """Stands for the end of the process."""


def cut_short(prepared: Prepared, after: int) -> None:
    """Carry the run out until `after` units are done."""
    done = []

    def kill(unit: object) -> None:
        done.append(unit)
        if len(done) == after:
            raise KilledError

    with pytest.raises(KilledError):
        carry_out(prepared, quiet=True, on_unit=kill)


def test_records_hold_what_the_model_says(imagenet: Path, tmp_path: Path) -> None:
    model = fake_model()
    table = bench.run(model, "imagenet", data=imagenet, out=tmp_path, quiet=True)
    records = frame(tmp_path)
    assert list(records.columns[:9]) == [
        "model",
        "suite",
        "condition",
        "protocol",
        "image_id",
        "label",
        "prediction",
        "scored",
        "confidence",
    ]
    from PIL import Image
    from torchvision import transforms as T

    show = T.Compose([T.Resize(37, T.InterpolationMode.BICUBIC), T.CenterCrop(32), T.ToTensor()])
    for row in records.sample(5, random_state=0).to_dict("records"):
        path = imagenet / row["image_id"].split("_")[0] / f"{row['image_id']}.JPEG"
        logits = model(show(Image.open(path).convert("RGB"))[None])[0]
        rest = torch.cat([logits[: row["label"]], logits[row["label"] + 1 :]])
        assert row["prediction"] == int(logits.argmax())
        assert row["confidence"] == pytest.approx(float(logits.softmax(0).max()), rel=1e-4)
        assert row["margin"] == pytest.approx(float(logits[row["label"]] - rest.max()), abs=1e-4)
    accuracy = table[(table["condition"] == "all") & (table["metric"] == "accuracy")]
    assert accuracy["value"].item() == pytest.approx((records["label"] == records["prediction"]).mean())
    assert accuracy["subset"].item().startswith("36 of 50000 images, 994 of 1000 classes missing; pictures")


def test_the_same_call_again_measures_nothing(imagenet: Path, tmp_path: Path) -> None:
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path, quiet=True)
    before = contents(tmp_path)
    again = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path)
    assert again.todo == []
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path, quiet=True)
    assert contents(tmp_path) == before


def test_an_interrupted_run_continues_to_the_same_bytes(imagenet: Path, tmp_path: Path) -> None:
    bench.run(fake_model(), "pgd", data=imagenet, out=tmp_path / "whole", quiet=True, **PGD)
    prepared = prepare(fake_model(), "pgd", data=imagenet, out=tmp_path / "cut", **PGD)
    cut_short(prepared, after=3)
    rest = prepare(fake_model(), "pgd", data=imagenet, out=tmp_path / "cut", **PGD)
    assert len(rest.todo) == len(prepared.todo) - 3
    with pytest.raises(IncompleteError, match="repeat the command"):
        require_complete(bench.results(tmp_path / "cut").attrs["problems"], "cut")
    carry_out(rest, quiet=True)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_three_shards_merged_are_the_whole(imagenet: Path, tmp_path: Path) -> None:
    models = [fake_model("a"), fake_model("b", seed=1)]
    bench.run(models, "imagenet,pgd", data=imagenet, out=tmp_path / "whole", quiet=True, **PGD)
    parts = [str(tmp_path / f"part{i}") for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        bench.run(models, "imagenet,pgd", data=imagenet, out=part, shard=f"{i}/3", quiet=True, **PGD)
    merge(parts, str(tmp_path / "merged"))
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")
    pd.testing.assert_frame_equal(bench.results(tmp_path / "merged"), bench.results(tmp_path / "whole"))


def test_batch_size_changes_no_prediction(imagenet: Path, tmp_path: Path) -> None:
    for size in (1, 7, 64):
        bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path / str(size), batch_size=size, quiet=True)
    one, *others = (frame(tmp_path / str(size)) for size in (1, 7, 64))
    for other in others:
        pd.testing.assert_frame_equal(one, other, rtol=1e-5, atol=1e-6)
        assert one["prediction"].equals(other["prediction"])


def test_models_together_are_models_apart(imagenet: Path, tmp_path: Path) -> None:
    a, b = fake_model("a"), fake_model("b", seed=1, size=40)
    bench.run([a, b], "imagenet", data=imagenet, out=tmp_path / "together", quiet=True)
    for model in (a, b):
        bench.run(model, "imagenet", data=imagenet, out=tmp_path / "apart", quiet=True)
    pd.testing.assert_frame_equal(frame(tmp_path / "together"), frame(tmp_path / "apart"))


def test_unreadable_pictures_are_counted_not_lost(imagenet: Path, tmp_path: Path) -> None:
    import shutil

    data = shutil.copytree(imagenet, tmp_path / "data")
    (data / "n01440764" / "n01440764_0.JPEG").write_text("not an image")
    (data / "n02123045" / "n02123045_1.JPEG").write_bytes(b"")
    table = bench.run(fake_model(), "pgd", data=data, out=tmp_path / "out", quiet=True, **PGD)
    assert set(table["unscored"]) <= {0, 2}
    rows = table[table["condition"] != "all"]
    assert (rows["n"] == 34).all()
    assert (rows["unscored"] == 2).all()
    records = frame(tmp_path / "out")
    lost = records[~records["scored"]]
    assert set(lost["image_id"]) == {"n01440764_0", "n02123045_1"}
    assert lost["reason"].str.contains("not an image|empty file").all()
    assert lost["prediction"].isna().all()


def test_a_damaged_part_is_done_again_and_only_that(imagenet: Path, tmp_path: Path) -> None:
    bench.run(fake_model(), "imagenet", data=imagenet, out=tmp_path, quiet=True)
    before = contents(tmp_path)
    victim = sorted(tmp_path.rglob("*.parquet"))[1]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(IncompleteError, match="do not match the checksum"):
        require_complete(bench.results(tmp_path).attrs["problems"], str(tmp_path))
    again = prepare(fake_model(), "imagenet", data=imagenet, out=tmp_path)
    assert len(again.todo) == 1
    carry_out(again, quiet=True)
    assert contents(tmp_path) == before


def test_other_weights_are_another_cell(imagenet: Path, tmp_path: Path) -> None:
    bench.run(fake_model(seed=0), "imagenet", data=imagenet, out=tmp_path, quiet=True)
    assert prepare(fake_model(seed=1), "imagenet", data=imagenet, out=tmp_path).todo != []


def test_run_json_says_everything_needed_to_repeat(imagenet: Path, tmp_path: Path) -> None:
    bench.run(fake_model(), "pgd", data=imagenet, out=tmp_path, seed=3, limit=12, quiet=True, **PGD)
    (path,) = tmp_path.glob("runs/*/run.json")
    manifest = json.loads(path.read_text("utf-8"))
    assert manifest["given"]["eps"] == "8/255"
    assert (manifest["seed"], manifest["limit"], manifest["suites"]) == (3, 12, {"pgd": 2})
    assert len(manifest["models"]["fake"]["fingerprint"]) == 64
    assert manifest["models"]["fake"]["parameters"] == sum(p.numel() for p in fake_model().parameters())
    assert manifest["environment"]["packages"]["torch"] == torch.__version__.split("+")[0]
    assert {e["condition"].split("/")[1].split("-")[0] for e in manifest["entries"]} == {"clean", "pgd"}
    cell = json.loads(next(tmp_path.glob("cells/*/cell.json")).read_text("utf-8"))
    assert cell["protocol"]["manifest"]
    split = "pictures of ImageNet's training split, not the validation set"
    assert cell["subset"] == f"{split}; limit 12 of 36 images"


def test_conditions_follow_each_other_on_the_same_pictures(imagenet: Path, tmp_path: Path) -> None:
    prepared = prepare(fake_model(), "imagenet,imagenet-c-live", data=imagenet, out=tmp_path, limit=20)
    starts = [unit.key.start for unit in units(prepared.plan)]
    assert starts == sorted(starts)
    assert len(starts) == 76 * 2


def test_live_corruptions_decode_each_picture_once(
    imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.datasets.folder import FolderDataset

    read: list[int] = []
    original = FolderDataset.load
    monkeypatch.setattr(FolderDataset, "load", lambda self, index: read.append(index) or original(self, index))
    prepared = prepare(
        [fake_model("a"), fake_model("b", seed=1)], "imagenet-c-live", data=imagenet, out=tmp_path, limit=4
    )
    prepared.todo[:] = [unit for unit in prepared.todo if unit.setup.corruption][:5]
    carry_out(prepared, quiet=True)
    assert len(read) == 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"suites": "imagnet"}, UsageError, "unknown suite 'imagnet'.*did you mean imagenet"),
        ({"limit": 0}, UsageError, "--limit: expected a whole number of at least 1"),
        ({"shard": "4/3"}, UsageError, "i must be in 1..n"),
        ({"shard": "x"}, UsageError, "expected i/n"),
        ({"dataset": "imagenett", "suites": "clean"}, UsageError, "unknown dataset.*did you mean imagenet"),
        ({"suites": "imagenet-c"}, DataError, "imagenet-c-live"),
        ({"suites": "pgd", "eps": "4"}, UsageError, "4/255"),
    ],
)
def test_wrong_requests_say_so_before_anything_is_computed(
    imagenet: Path, tmp_path: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    asked = {"suites": "imagenet", **options}
    with pytest.raises(error, match=message):
        prepare(fake_model(), str(asked.pop("suites")), data=imagenet, out=tmp_path / "out", **asked)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_model_of_another_label_space_is_refused(imagenet: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 10 classes, but label space 'imagenet1k' needs 1000"):
        prepare(fake_model(classes=10), "imagenet", data=imagenet, out=tmp_path)


def test_models_without_finite_logits_are_not_scored(imagenet: Path, tmp_path: Path) -> None:
    model = fake_model()
    model.net.register_forward_hook(lambda _net, x, out: out + np.nan if len(x[0]) > PICTURES else out)
    table = bench.run(model, "imagenet", data=imagenet, out=tmp_path, quiet=True)
    assert set(table["n"]) == {0}
    assert frame(tmp_path)["reason"].eq("the model's logits are not finite").all()


def test_an_empty_folder_is_no_results_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results here"):
        bench.results(tmp_path)
