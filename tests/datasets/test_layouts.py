"""Data as it lies on real disks: each layout gives the labels that an independent reading gives, or is refused with a
reason before any compute; what is left out is counted. Names of validation images are real ones, with their classes.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from bench.datasets.base import Dataset
from bench.datasets.classes import torchvision_names
from bench.datasets.doctor import diagnose, survey
from bench.datasets.labels import imagenet_wnids
from bench.datasets.listing import Listing
from bench.datasets.table import DataRoots, open_dataset, parse_roots
from bench.errors import DataError, UsageError
from bench.metrics.real import real_labels

CLASSES = (0, 1, 7, 281, 999)
EACH = 4


def numbers(label: int, count: int = EACH) -> list[int]:
    """Validation images that are of this class alone (ReaL), by number."""
    return [i for i, classes in enumerate(real_labels(), 1) if classes == {label}][:count]


STEMS = {f"ILSVRC2012_val_{n:08d}": c for c in CLASSES for n in numbers(c)}
"""Twenty images and their classes."""


def jpeg(shade: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 120, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


def put(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg())
    return root


def by_wnid(root: Path, ending: str = "") -> Path:
    """One folder a class, as valprep.sh leaves it; `ending` with `{}` for the wnid goes behind each name."""
    wnids = imagenet_wnids()
    return put(root, (f"{wnids[c]}/{stem}{ending.format(wnids[c])}.JPEG" for stem, c in STEMS.items()))


def opened(root: Path, name: str = "imagenet", part: str = "") -> Dataset:
    """The set as `--data ROOT` finds it."""
    return open_dataset(name, parse_roots(str(root), None), part)


def labels(dataset: Dataset) -> dict[str, int]:
    return dict(zip(dataset.ids, dataset.targets, strict=True))


def refused(root: Path, says: str, name: str = "imagenet") -> None:
    """`run`, `doctor` and `data list` refuse it with the same words."""
    with pytest.raises(DataError, match=says) as error:
        opened(root, name)
    for reports in (diagnose(root), survey(root)):
        assert any(problem == str(error.value) for report in reports for problem in report.problems), reports
        assert any(report.standing == "refused" for report in reports)


def tar(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as out:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def parquet(
    path: Path, rows: Iterable[tuple[str, int | str]], names: list[str] | None = None, content: bytes | None = b"x"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = content if content != b"x" else jpeg()
    table = pa.Table.from_pylist([{"image": {"bytes": image, "path": p}, "label": label} for p, label in rows])
    if names:
        features = {
            "info": {"features": {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}}
        }
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    pq.write_table(table, path)
    return path


# 1. Parquet and WebDataset


def test_a_hub_subsets_labels_are_read_by_the_class_names_in_its_metadata(tmp_path: Path) -> None:
    names = [torchvision_names()[c] for c in (281, 7, 0)]
    parquet(tmp_path / "validation-00000-of-00001.parquet", [("a.jpg", 0), ("b.jpg", 1), ("c.jpg", 2)], names)
    assert labels(opened(tmp_path)) == {"a": 281, "b": 7, "c": 0}


def test_a_hub_subset_with_other_peoples_class_names_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", [("a.jpg", 0), ("b.jpg", 1)], ["healthy", "ill"])
    refused(tmp_path, "2 of its 2 classes have names that are not ImageNet's, .* 'healthy'")


def test_bare_numbers_are_refused_unless_the_pictures_names_confirm_them(tmp_path: Path) -> None:
    parquet(tmp_path / "a" / "x.parquet", [(f"{n}.jpg", n) for n in range(10)])
    refused(tmp_path / "a", "given only by numbers")
    parquet(tmp_path / "b" / "x.parquet", [(f"{stem}.JPEG", c) for stem, c in STEMS.items()])
    assert labels(opened(tmp_path / "b")) == STEMS
    parquet(tmp_path / "c" / "x.parquet", [(f"{stem}.JPEG", c // 100) for stem, c in STEMS.items()])
    refused(tmp_path / "c", "labels of another class order|hold another class's images")


def test_all_1000_names_of_the_hubs_set_are_read_in_their_order(tmp_path: Path) -> None:
    """`crane` stands there twice: the bird and the machine."""
    rows = [("a.jpg", 134), ("b.jpg", 517)]
    assert torchvision_names()[517] == "crane"
    parquet(tmp_path / "validation-00000-of-00001.parquet", rows, [*torchvision_names()])
    assert labels(opened(tmp_path)) == {"a": 134, "b": 517}


def test_training_shards_beside_validation_shards_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [(f"{stem}.JPEG", c) for stem, c in STEMS.items()]
    parquet(tmp_path / "parquet" / "imagenet-train-00000-of-00002.parquet", [("n01440764_1.JPEG", 0)])
    parquet(tmp_path / "parquet" / "imagenet-validation-00000-of-00001.parquet", rows)
    wds = {f"{stem}.{end}": data for stem, c in STEMS.items() for end, data in (("jpg", jpeg()), ("cls", b"%d" % c))}
    tar(tmp_path / "wds" / "imagenet1k-validation-00.tar", wds)
    tar(tmp_path / "wds" / "imagenet1k-train-0000.tar", {"n01440764_1.jpg": jpeg(), "n01440764_1.cls": b"0"})
    for layout in ("parquet", "wds"):
        dataset = opened(tmp_path / layout)
        assert labels(dataset) == STEMS
        assert any("1 shards of another split" in note for note in dataset.notes)
        (report,) = diagnose(tmp_path / layout)
        assert any("shards of another split" in note for note in report.notes)


def test_a_missing_shard_is_said(tmp_path: Path) -> None:
    rows = [(f"{stem}.JPEG", c) for stem, c in STEMS.items()]
    parquet(tmp_path / "validation-00000-of-00014.parquet", rows)
    assert "1 of 14 shards" in opened(tmp_path).notes


def test_rows_with_paths_and_no_bytes_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", [(f"{stem}.JPEG", c) for stem, c in STEMS.items()], content=None)
    refused(tmp_path, "20 rows have paths and no bytes")


# 2. Folders by number


def test_folders_in_the_devkits_order_are_refused_by_run_as_by_the_doctor(tmp_path: Path) -> None:
    order = {c: place for place, c in enumerate(np.random.default_rng(0).permutation(1000))}
    put(tmp_path, (f"{order[c]}/{stem}.JPEG" for stem, c in STEMS.items()))
    refused(tmp_path, "another class")


def test_folders_in_the_sorted_order_are_taken_where_the_pictures_names_confirm_it(tmp_path: Path) -> None:
    put(tmp_path / "a", (f"{c}/{stem}.JPEG" for stem, c in STEMS.items()))
    assert labels(opened(tmp_path / "a")) == STEMS
    put(tmp_path / "b", (f"{c}/photo{stem[-4:]}.JPEG" for stem, c in STEMS.items()))
    refused(tmp_path / "b", "given only by numbers")


def test_numbers_that_contradict_a_part_of_the_pictures_are_refused_or_counted(tmp_path: Path) -> None:
    """Sixteen of forty images in folders of other numbers: fewer than half, and more than ReaL reassessed."""
    many = {f"ILSVRC2012_val_{n:08d}": c for c in range(10) for n in numbers(c)}
    for name, wrong in (("a", 16), ("b", 3), ("c", 0)):
        moved = {stem: (c + 500 if i < wrong else c) for i, (stem, c) in enumerate(sorted(many.items()))}
        put(tmp_path / name, (f"{c}/{stem}.JPEG" for stem, c in moved.items()))
    refused(tmp_path / "a", "of 40 images of the validation set whose right classes are known .*, 24 have one of them")
    assert "numbers: of 40 images whose right classes are known (ReaL), 3 have another" in opened(tmp_path / "b").notes
    assert opened(tmp_path / "c").notes == ()


def test_wnids_that_contradict_the_pictures_more_than_reassessment_are_told(tmp_path: Path) -> None:
    wnids = imagenet_wnids()
    many = {f"ILSVRC2012_val_{n:08d}": c for c in range(10) for n in numbers(c)}
    for name, wrong, said in (("a", 16, True), ("b", 3, False)):
        moved = {stem: (c + 500 if i < wrong else c) for i, (stem, c) in enumerate(sorted(many.items()))}
        put(tmp_path / name, (f"{wnids[c]}/{stem}.JPEG" for stem, c in moved.items()))
        line = "folders by wnid: of 40 images whose right classes are known (ReaL), 16 have another"
        assert (line in opened(tmp_path / name).notes) is said


def test_a_validation_image_in_two_classes_is_refused(tmp_path: Path) -> None:
    """A link to a class folder, or a copy below another: the same image counted as right and as wrong."""
    root, wnids = by_wnid(tmp_path), imagenet_wnids()
    stem = next(iter(STEMS))
    put(root, [f"{wnids[7]}/below/{stem}.JPEG"])
    refused(root, rf"{stem} is one image, and has two classes \({wnids[0]} and {wnids[7]}\)")


# 3. Names


def test_names_of_the_hubs_archive_lose_the_wnid_and_suffice_for_real_and_robustbench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bench.datasets.known.imagenet as known

    by_wnid(tmp_path / "imagenet" / "val", "_{}")
    dataset = opened(tmp_path)
    assert labels(dataset) == STEMS
    monkeypatch.setattr(known, "robustbench_ids", lambda: frozenset(list(STEMS)[:3]))
    assert sorted(opened(tmp_path, "robustbench-5k").ids) == sorted(list(STEMS)[:3])


def test_a_wnid_in_a_name_that_contradicts_the_folder_is_refused(tmp_path: Path) -> None:
    by_wnid(tmp_path, "_{}")
    wnids = imagenet_wnids()
    shutil.move(tmp_path / wnids[0], tmp_path / "aside")
    shutil.move(tmp_path / wnids[1], tmp_path / wnids[0])
    shutil.move(tmp_path / "aside", tmp_path / wnids[1])
    refused(tmp_path, rf"{wnids[0]}/ holds {wnids[1]}'s.*8 images, by the wnids in their names")


def test_only_the_stems_that_clash_are_qualified(tmp_path: Path) -> None:
    by_wnid(tmp_path)
    first = next(tmp_path.rglob("*.JPEG"))
    first.with_suffix(".jpg").write_bytes(jpeg())
    ids = opened(tmp_path).ids
    assert sum("/" in image_id for image_id in ids) == 2
    assert f"{first.parent.name}/{first.name}" in ids


# 4. Splits


def test_training_pictures_are_never_the_complete_validation_set(tmp_path: Path) -> None:
    wnids = imagenet_wnids()[:3]
    put(tmp_path, (f"{w}/{w}_{n}.JPEG" for w in wnids for n in range(50)))
    assert opened(tmp_path).subset == (
        "150 of 50000 images, 997 of 1000 classes missing; "
        "pictures of ImageNet's training split, not the validation set"
    )
    (report,) = diagnose(tmp_path)
    assert "training split" in report.summary


def test_the_training_folder_beside_val_is_left_out_and_said(tmp_path: Path) -> None:
    by_wnid(tmp_path / "imagenet" / "val")
    put(tmp_path / "imagenet" / "train", ["n01440764/n01440764_1.JPEG"])
    assert labels(opened(tmp_path)) == STEMS
    (report,) = diagnose(tmp_path)
    assert any("left out" in n and "training split" in n for n in report.notes)


def test_training_pictures_among_the_validation_pictures_are_left_out(tmp_path: Path) -> None:
    put(by_wnid(tmp_path), ["n01440764/n01440764_1.JPEG"])
    dataset = opened(tmp_path)
    assert labels(dataset) == STEMS
    assert "1 images of the training split" in dataset.notes


# 5. Trees


def kaggle(root: Path, table: bool = True) -> Path:
    put(root / "ILSVRC" / "Data" / "CLS-LOC" / "val", (f"{stem}.JPEG" for stem in STEMS))
    put(root / "ILSVRC" / "Data" / "CLS-LOC" / "train", ["n01440764/n01440764_1.JPEG"])
    put(root / "ILSVRC" / "Data" / "CLS-LOC" / "test", ["ILSVRC2012_test_00000001.JPEG"])
    if table:
        rows = [f"{stem},{imagenet_wnids()[c]} 1 2 3 4 " for stem, c in STEMS.items()]
        (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows]))
    return root


@pytest.mark.parametrize("given", [".", "ILSVRC", "ILSVRC/Data/CLS-LOC", "ILSVRC/Data/CLS-LOC/val"])
def test_kaggles_tree_at_any_of_its_folders(tmp_path: Path, given: str) -> None:
    assert labels(opened(kaggle(tmp_path / "kaggle") / given)) == STEMS


@pytest.mark.parametrize("place", ["val", "imagenet/val", "imagenet/val/val", "imagenet/imagenet/val", "imagenet", "."])
def test_a_folder_too_many_changes_nothing(tmp_path: Path, place: str) -> None:
    by_wnid(tmp_path / "root" / place)
    assert labels(opened(tmp_path / "root")) == STEMS
    assert labels(open_dataset("imagenet", DataRoots({"imagenet": tmp_path / "root"}))) == STEMS


def test_the_official_flat_tar_with_its_table_beside_it(tmp_path: Path) -> None:
    kaggle(tmp_path / "k")
    tar(tmp_path / "official" / "ILSVRC2012_img_val.tar", {f"{stem}.JPEG": jpeg() for stem in STEMS})
    refused(tmp_path / "official", "no ground truth labels it")
    shutil.copy(tmp_path / "k" / "LOC_val_solution.csv", tmp_path / "official")
    assert labels(opened(tmp_path / "official")) == STEMS


def condition(root: Path, part: str, place: Path | None = None) -> Path:
    """The images of one condition of ImageNet-C, at 224 px."""
    buffer = io.BytesIO()
    Image.new("RGB", (224, 224)).save(buffer, "JPEG")
    wnids = imagenet_wnids()
    for stem, c in STEMS.items():
        path = (place or root / part) / wnids[c] / f"{stem}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    return root


@pytest.mark.parametrize("place", ["ImageNet-C", "imagenet-c/weather", "ImageNet-C/weather", "deep/er/imagenet_c"])
def test_imagenet_c_under_any_name_and_each_condition_from_wherever_it_lies(tmp_path: Path, place: str) -> None:
    condition(tmp_path / place, "fog/3")
    condition(tmp_path / "elsewhere", "snow/1")
    packed = condition(tmp_path / "aside", "frost/2")
    with tarfile.open(tmp_path / place / "weather.tar", "w") as out:
        out.add(packed / "frost", arcname="frost")
    shutil.rmtree(packed)
    for part in ("fog/3", "snow/1", "frost/2"):
        assert labels(opened(tmp_path, "imagenet-c", part)) == STEMS
    with pytest.raises(DataError, match=r"no fog/4/ under .*imagenet-c-live"):
        opened(tmp_path, "imagenet-c", "fog/4")


def test_an_empty_severity_is_named(tmp_path: Path) -> None:
    condition(tmp_path / "imagenet-c", "fog/3")
    (tmp_path / "imagenet-c" / "fog" / "4").mkdir()
    with pytest.raises(DataError, match="empty fog/4/"):
        opened(tmp_path, "imagenet-c", "fog/4")


def test_a_condition_in_two_places_is_refused(tmp_path: Path) -> None:
    condition(condition(tmp_path, "imagenet-c/fog/3"), "backup/fog/3")
    with pytest.raises(DataError, match="several places"):
        opened(tmp_path, "imagenet-c", "fog/3")


# 6. Half-sorted


def test_half_sorted_validation_is_refused_or_read_by_its_ground_truth(tmp_path: Path) -> None:
    root = by_wnid(tmp_path / "val")
    for path in list(root.rglob("*.JPEG"))[:8]:
        path.rename(root / path.name)
    refused(root, r"8 images lie flat beside class folders \(half-sorted\?\)")
    kaggle(tmp_path / "k")
    shutil.copy(tmp_path / "k" / "LOC_val_solution.csv", tmp_path)
    assert labels(opened(root)) == STEMS


# 7. Names that begin with a dot


def test_names_that_begin_with_a_dot_are_never_pictures(tmp_path: Path) -> None:
    members = {f"{imagenet_wnids()[c]}/{stem}.JPEG": jpeg() for stem, c in STEMS.items()}
    litter = {
        "n01440764/._x.JPEG": b"mac",
        ".cache/n01440764/y.JPEG": jpeg(),
        "n01440764/.ipynb_checkpoints/z.JPEG": b"",
    }
    root = by_wnid(tmp_path / "folders")
    put(root, [*litter, ".cache/huggingface/n01440764/a.JPEG", ".ipynb_checkpoints/a.JPEG"])
    (root / "Thumbs.db").write_bytes(b"x")
    tar(tmp_path / "tars" / "val.tar", members | litter)
    rows = [(f"{stem}.JPEG", c) for stem, c in STEMS.items()] + [("._x.JPEG", 0)]
    parquet(tmp_path / "parquet" / "val.parquet", rows)
    for layout, counted in (("folders", 4), ("tars", 3), ("parquet", 1)):
        dataset = opened(tmp_path / layout)
        assert labels(dataset) == STEMS
        hidden = [note for note in dataset.notes if "begin with a dot" in note]
        assert [int(note.split()[0]) for note in hidden] == [counted], (layout, dataset.notes)


# 8. Paths


@pytest.mark.parametrize("name", ["a,b", "x=y", "imagenet=old,new", "run=3,seed=4"])
def test_commas_and_equals_signs_in_a_path(tmp_path: Path, name: str) -> None:
    by_wnid(tmp_path / name / "val")
    (tmp_path / "c").mkdir()
    assert labels(opened(tmp_path / name)) == STEMS
    roots = parse_roots(f"imagenet={tmp_path / name},imagenet-c={tmp_path / 'c'},{tmp_path / name}", None)
    assert roots.own == {"imagenet": tmp_path / name, "imagenet-c": tmp_path / "c"}
    assert roots.common == tmp_path / name
    with pytest.raises(UsageError, match="did you mean imagenet"):
        parse_roots(f"imagnet={tmp_path / name}", None)


# Class names


def test_folders_by_class_name_are_read_by_name_and_never_by_order(tmp_path: Path) -> None:
    names = torchvision_names()
    put(tmp_path / "a", (f"{names[c]}/{stem}.JPEG" for stem, c in STEMS.items()))
    assert labels(opened(tmp_path / "a")) == STEMS == labels(opened(tmp_path / "a", "folder"))
    put(tmp_path / "b", (f"{c:03d}_{names[c].replace(' ', '_')}/{stem}.JPEG" for stem, c in STEMS.items()))
    assert labels(opened(tmp_path / "b")) == STEMS
    put(tmp_path / "c", (f"{imagenet_wnids()[c]}-{names[c]}/{stem}.JPEG" for stem, c in STEMS.items()))
    assert labels(opened(tmp_path / "c")) == STEMS
    put(put(tmp_path / "d", ["tench/a.JPEG", "goldfish/b.JPEG", "my own class/c.JPEG"]), ())
    refused(tmp_path / "d", "1 of 3 class folders have names that are not ImageNet's.*my own class")


def test_any_other_folder_has_the_classes_that_torchvision_gives_it(tmp_path: Path) -> None:
    put(tmp_path, ["dog/a.JPEG", "cat/b.JPEG", "cat/deep/er/c.JPEG", "Zebu/d.jpg"])
    dataset, theirs = opened(tmp_path, "folder"), ImageFolder(tmp_path)
    assert labels(dataset) == {Path(p).stem: label for p, label in theirs.samples}
    assert dataset.labels == "folder3"


@pytest.mark.parametrize("names", ["1234", "0124", ["0", "1", "01"], ["3"]])
def test_numbered_folders_that_do_not_count_from_0_are_refused(tmp_path: Path, names: Sequence[str]) -> None:
    """1..4 were classes 0..3 in silence, which is wrong of a model with the classes 0..4."""
    put(tmp_path, [f"{name}/picture_{name}.JPEG" for name in names])
    with pytest.raises(DataError, match=rf"are the numbers .*, expected 0..{len(names) - 1}, each once"):
        opened(tmp_path, "folder")


def test_numbered_folders_are_their_numbers(tmp_path: Path) -> None:
    """Also a class without an image; where torchvision's order is another, that is said."""
    put(tmp_path, [f"{label}/picture_{label}.JPEG" for label in (1, 2, 3, 4)])
    (tmp_path / "0").mkdir()
    dataset = opened(tmp_path, "folder")
    assert (dataset.labels, labels(dataset)) == ("folder5", {f"picture_{label}": label for label in (1, 2, 3, 4)})
    assert not dataset.notes
    put(tmp_path, [f"{label}/picture_{label}.JPEG" for label in range(5, 12)])
    dataset = opened(tmp_path, "folder")
    assert labels(dataset)["picture_10"] == 10
    assert "2 before 10" in dataset.notes[-1]


def test_train_and_val_of_an_image_folder_are_no_two_classes(tmp_path: Path) -> None:
    put(tmp_path, ["train/dog/a.JPEG", "train/cat/b.JPEG", "val/dog/c.JPEG", "val/cat/d.JPEG"])
    assert labels(opened(tmp_path, "folder")) == {"c": 1, "d": 0}


def test_a_picture_that_stands_there_twice_has_its_real_labels(tmp_path: Path) -> None:
    """Its two ids are qualified by folder and ending; ReaL knows both by the number in them."""
    import pandas as pd

    from bench.metrics.real import real_accuracy

    by_wnid(tmp_path)
    first = next(tmp_path.rglob("*.JPEG"))
    first.with_suffix(".jpg").write_bytes(jpeg())
    dataset = opened(tmp_path)
    records = pd.DataFrame({"image_id": dataset.ids, "prediction": dataset.targets, "scored": True})
    found = real_accuracy({"imagenet/clean": records})
    assert (found.value, found.n) == (1.0, 21)


def test_an_empty_severity_and_a_folder_that_cannot_be_read_are_told_by_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    condition(tmp_path / "imagenet-c", "fog/3")
    (tmp_path / "imagenet-c" / "fog" / "4").mkdir()
    (report,) = survey(tmp_path)
    assert "fog/4/ is empty" in report.problems
    (tmp_path / "closed").mkdir()
    look = Listing.at

    def closed(folder: Path) -> Listing:
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return look(folder)

    monkeypatch.setattr(Listing, "at", staticmethod(closed))
    (report,) = survey(tmp_path)
    assert any("closed (folder that cannot be read)" in note for note in report.notes)


def test_a_root_of_too_many_folders_is_not_looked_through_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_wnid(tmp_path / "imagenet" / "val")
    for n in range(30):
        (tmp_path / "other" / f"x{n}").mkdir(parents=True)
    monkeypatch.setattr("bench.datasets.locate.MOST_FOLDERS", 20)
    assert labels(opened(tmp_path)) == STEMS  # its own folder is looked at first
    with pytest.raises(DataError, match="more than 20 folders under"):
        opened(tmp_path, "imagenet-a")
