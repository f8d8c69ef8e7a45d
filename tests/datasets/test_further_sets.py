"""Further sets on a few images in their own layouts: found by what lies there, read by their authors' rules."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image, ImageFont

import bench
import bench.datasets.known.imagenet_w as w
from bench.datasets.doctor import survey
from bench.datasets.known.imagenet_c import BAR, IN_3D
from bench.datasets.known.imagenet_es import AUTO, CLASSES, MANUAL
from bench.datasets.known.objectnet import BORDER, OBJECTS
from bench.datasets.labels import imagenet_wnids, label_space
from bench.datasets.preprocess import input_spec, prepare
from bench.datasets.table import open_dataset, parse_roots
from bench.errors import DataError, IncompleteError
from bench.suites.registry import SUITES
from bench.testing import fake_model

RNG = np.random.default_rng(0)


def picture(side: int = 224, border: tuple[int, int, int] | None = None) -> Image.Image:
    coarse = Image.fromarray(RNG.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    image = coarse.resize((side, side), Image.Resampling.BICUBIC)
    if border:
        framed = Image.new("RGB", (side + 2 * BORDER, side + 2 * BORDER), border)
        framed.paste(image, (BORDER, BORDER))
        return framed
    return image


def put(path: Path, image: Image.Image | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture()).save(path)


def opened(root: Path, name: str, part: str = "") -> bench.datasets.base.Dataset:
    return open_dataset(name, parse_roots(str(root), None), part)


def measured(root: Path, suite: str, out: Path) -> pd.Series:
    """The suite's metrics of the fake network, by name."""
    table = bench.run([fake_model()], suite, data=str(root), out=str(out), quiet=True)
    return table[table["condition"] == "all"].set_index("metric")["value"]


def answers(images: list[Image.Image]) -> list[int]:
    """Arg max over all 1000 classes, by the network alone."""
    model = fake_model()
    spec = input_spec(model.input, "canonical")
    batch = torch.stack([torch.from_numpy(prepare(i, spec).copy()).permute(2, 0, 1).float() / 255 for i in images])
    with torch.inference_mode():
        return [int(label) for label in model(batch).argmax(dim=1)]


@pytest.mark.parametrize(("name", "corruptions"), [("imagenet-c-bar", BAR), ("imagenet-3dcc", IN_3D)])
def test_corruptions_in_folders_as_imagenet_cs(tmp_path: Path, name: str, corruptions: tuple[str, ...]) -> None:
    for corruption in corruptions:
        for severity in range(1, 6):
            put(tmp_path / "anything" / corruption / str(severity) / "n01440764" / "ILSVRC2012_val_00000293.JPEG")
    assert opened(tmp_path, name, f"{corruptions[0]}/3").targets == [0]
    (report,) = survey(tmp_path)
    assert (report.name, report.images) == (name, 5 * len(corruptions))
    found = measured(tmp_path, name, tmp_path / "out")
    each = [found[f"error_{corruption}"] for corruption in corruptions]
    assert found["mean_error"] == pytest.approx(np.mean(each))


def test_parts_whose_files_are_alike_in_name_and_size_are_other_images(tmp_path: Path) -> None:
    """Uncompressed, every severity has one listing: each has its own images all the same, also after a merge."""
    red, blue = (Image.new("RGB", (224, 224), colour) for colour in ((200, 30, 30), (20, 60, 220)))
    is_red, is_blue = answers([red, blue])
    assert is_red != is_blue
    for corruption in BAR:
        for severity in range(1, 6):
            place = tmp_path / "data" / corruption / str(severity) / imagenet_wnids()[is_red] / "x.bmp"
            put(place, red if severity % 2 else blue)
    assert measured(tmp_path / "data", "imagenet-c-bar", tmp_path / "out")["mean_error"] == pytest.approx(2 / 5)
    records = bench.records(tmp_path / "out").set_index("condition")["prediction"]
    assert [records[f"imagenet-c-bar/{BAR[0]}/{s}"] for s in range(1, 6)] == [is_red, is_blue, is_red, is_blue, is_red]
    assert bench.verify(tmp_path / "out").problems == []
    for shard in ("1/2", "2/2"):
        out = tmp_path / shard[0]
        with contextlib.suppress(IncompleteError):
            bench.run(fake_model(), "imagenet-c-bar", data=tmp_path / "data", out=out, shard=shard, quiet=True)
    bench.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "merged")
    merged = bench.results(tmp_path / "merged").set_index("metric")["value"]
    assert merged["mean_error"] == pytest.approx(2 / 5)


def test_objectnet_loses_its_border_and_the_classes_that_imagenet_lacks(tmp_path: Path) -> None:
    root = tmp_path / "objectnet-1.0" / "images"
    inside = [picture(12, (255, 0, 0)) for _ in range(4)]
    for folder, image in zip(("alarm_clock", "chair", "wok", "air_freshener"), inside, strict=True):
        put(root / folder / "x.png", image)
    dataset = opened(tmp_path, "objectnet")
    order = list(OBJECTS)
    assert dict(zip(dataset.ids, dataset.targets, strict=True)) == {
        f"{folder}/x": order.index(folder) for folder in ("alarm_clock", "chair", "wok")
    }
    first = dataset.read(dataset.ids.index("alarm_clock/x"))
    assert first.size == (12, 12)
    assert np.array_equal(np.asarray(first), np.asarray(inside[0].crop((2, 2, 14, 14))))  # their crop, by hand
    assert any("without an ImageNet class (air_freshener)" in note for note in dataset.notes)
    expected = answers([image.crop((2, 2, 14, 14)) for image in inside[:3]])
    assert expected != answers(inside[:3])  # with its border the network says something else
    right = [label in OBJECTS[f] for f, label in zip(("alarm_clock", "chair", "wok"), expected, strict=True)]
    assert measured(tmp_path, "objectnet", tmp_path / "out")["accuracy"] == pytest.approx(np.mean(right))
    found = bench.records(tmp_path / "out").set_index("image_id")["prediction_all"]
    assert [found[f"{folder}/x"] for folder in ("alarm_clock", "chair", "wok")] == expected


def test_objects_are_decided_by_the_largest_logit_among_the_113() -> None:
    space, logits = label_space("objects-113"), torch.from_numpy(RNG.normal(size=(5, 1000)))
    expected = torch.stack([logits[:, list(m)].max(dim=1).values for m in OBJECTS.values()], dim=1)
    assert torch.equal(space.answer(logits), expected)
    members = [m for classes in OBJECTS.values() for m in classes]
    assert (len(OBJECTS), len(members), len(set(members))) == (113, 125, 125)


def test_imagenet_d_in_its_three_folders(tmp_path: Path) -> None:
    for kind, folders in (("background", ("backpack", "chair")), ("texture", ("mug",)), ("material", ("wok",))):
        for folder in folders:
            put(tmp_path / "ImageNet-D" / kind / folder / "a.png", picture(80))
    (tmp_path / "ImageNet-D" / "questions").mkdir()
    assert [len(opened(tmp_path, "imagenet-d", kind)) for kind in ("background", "texture", "material")] == [2, 1, 1]
    found = measured(tmp_path, "imagenet-d", tmp_path / "out")
    shares = [found[f"accuracy_{kind}"] for kind in ("background", "texture", "material")]
    assert found["accuracy"] == pytest.approx((2 * shares[0] + shares[1] + shares[2]) / 4)


def test_imagenet_es_by_light_and_setting(tmp_path: Path) -> None:
    wnid = imagenet_wnids()[CLASSES[3]]
    for part in MANUAL + AUTO:
        put(tmp_path / "ImageNet-ES" / "es-test" / part / wnid / "a.JPEG", picture(40))
    put(tmp_path / "ImageNet-ES" / "es-val" / MANUAL[0] / wnid / "b.JPEG", picture(40))
    dataset = opened(tmp_path, "imagenet-es", "param_control.l5.param_27")
    assert (dataset.ids, dataset.targets, len(CLASSES)) == (["a"], [3], 200)
    found = measured(tmp_path, "imagenet-es", tmp_path / "out")
    assert set(found.index) == {"accuracy_manual", "accuracy_auto"}
    assert len(MANUAL) == 54


def test_imagenet_o_against_the_validation_pictures_of_its_classes(tmp_path: Path) -> None:
    space = label_space("imagenet-o-200")
    wnids = [imagenet_wnids()[member] for (member,) in space.members]
    assert len(wnids) == 200
    assert wnids == sorted(wnids)
    for n, wnid in enumerate(wnids[:3]):
        put(tmp_path / "imagenet-o" / wnid / f"anomaly{n}.jpg", picture(60))
        put(tmp_path / "imagenet" / "val" / wnid / f"photograph{n}.jpg", picture(60))
    put(tmp_path / "imagenet" / "val" / "n01440764" / "tench.jpg", picture(60))
    assert opened(tmp_path, "imagenet-o-clean").targets == [0, 1, 2]
    found = measured(tmp_path, "imagenet-o", tmp_path / "out")
    assert 0 < found["aupr"] <= 1
    assert 0 <= found["auroc"] <= 1


def test_imagenet_hard_takes_any_of_several_labels(tmp_path: Path) -> None:
    images = [picture(60) for _ in range(3)]
    expected = answers(images)
    right = [[expected[0], 7], [(expected[1] + 1) % 1000], [3, 4, expected[2]]]

    def png(image: Image.Image) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    rows = [{"image": {"bytes": png(i), "path": None}, "label": each} for i, each in zip(images, right, strict=True)]
    path = tmp_path / "imagenet-hard" / "data" / "validation-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert opened(tmp_path, "imagenet-hard").ids[0] == f"00000000-{expected[0]}+7"
    assert measured(tmp_path, "imagenet-hard", tmp_path / "out")["accuracy_any"] == pytest.approx(2 / 3)


def test_imagenet_w_is_the_crop_with_the_authors_watermark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against the composition done by hand in float: half of white where the text is."""
    put(tmp_path / "imagenet" / "val" / "n01440764" / "a.png", picture(300))
    put(tmp_path / "imagenet" / "val" / imagenet_wnids()[478] / "b.png", picture(300))
    monkeypatch.delenv("BENCH_WATERMARK_FONT", raising=False)
    monkeypatch.setattr(w.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(DataError, match="BENCH_WATERMARK_FONT to SourceHanSerifSC"):
        opened(tmp_path, "imagenet-w")
    font = ImageFont.load_default(36)  # the authors' font is not in this package
    monkeypatch.setattr(w, "_font", lambda: font)
    plain, marked = (np.asarray(opened(tmp_path, "imagenet-w", part).read(0)) for part in ("plain", ""))
    assert plain.shape == marked.shape == (224, 224, 3)
    drawn = (plain != marked).any(axis=2)
    rows, columns = np.nonzero(drawn)
    assert rows.min() >= 0.4 * 224
    assert columns.min() >= 2
    full = plain + np.round((255 - plain.astype(float)) * 128 / 255)
    assert (np.abs(marked.astype(float) - full)[drawn].max(axis=1) <= 1).any()  # where the text covers a pixel whole
    found = measured(tmp_path, "imagenet-w", tmp_path / "out")
    assert set(found.index) == {"gap", "carton_gap"}
    assert -100 <= found["gap"] <= 100
    seen = bench.records(tmp_path / "out").set_index(["condition", "image_id"])["confidence"]
    assert seen["imagenet-w/clean", "a"] != seen["imagenet-w[plain]/clean", "a"]


def test_every_set_with_a_suite_has_its_headline_there() -> None:
    from bench.datasets.known import SETS

    for name, info in SETS.items():
        if name in SUITES and info.headline:
            assert info.headline == SUITES[name].headline, name
