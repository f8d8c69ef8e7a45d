"""ImageNet's kin in their official layouts: labels, subsets, sizes, and folders that are another set's."""

from pathlib import Path

import pytest
from PIL import Image

from bench.datasets.base import UnreadableError
from bench.datasets.categories import CATEGORIES
from bench.datasets.labels import imagenet_index, imagenet_wnids, label_space
from bench.datasets.table import DataRoots, open_dataset
from bench.errors import DataError
from bench.testing import write_pictures


def _wnids(space: str) -> list[str]:
    return [imagenet_wnids()[member] for (member,) in label_space(space).members]


def _root(tmp_path: Path, name: str) -> DataRoots:
    return DataRoots({name: tmp_path})


@pytest.mark.parametrize("name", ["imagenet-a", "imagenet-r"])
def test_labels_count_the_sets_own_200_classes_in_wnid_order(tmp_path: Path, name: str) -> None:
    wnids = _wnids(f"{name}-200")
    assert len(wnids) == 200
    assert wnids == sorted(wnids)
    write_pictures(tmp_path, [wnids[199], wnids[0]], 1)
    dataset = open_dataset(name, _root(tmp_path, name))
    assert dataset.targets == [0, 199]
    assert "198 of 200 classes missing" in dataset.subset


def test_a_and_r_have_different_classes_and_each_refuses_the_others_folder(tmp_path: Path) -> None:
    only_r = sorted(set(_wnids("imagenet-r-200")) - set(_wnids("imagenet-a-200")))
    write_pictures(tmp_path, only_r[:2], 1)
    with pytest.raises(DataError, match=r"2 of the 2 images .* another set's folder"):
        open_dataset("imagenet-a", _root(tmp_path, "imagenet-a"))


def test_clean_pictures_of_the_same_classes(tmp_path: Path) -> None:
    wnids = _wnids("imagenet-a-200")
    other = next(w for w in imagenet_wnids() if w not in wnids)
    write_pictures(tmp_path, [wnids[3], other], 2)
    dataset = open_dataset("imagenet-a-clean", _root(tmp_path, "imagenet"))
    assert (dataset.targets, dataset.labels, dataset.name) == ([3, 3], "imagenet-a-200", "imagenet-a-clean")
    assert dataset.read(1).size == (64, 48)


def test_v2_folders_are_numbers_and_variants_stay_apart(tmp_path: Path) -> None:
    for variant, classes in (("matched-frequency", ["0", "1", "10", "2"]), ("top-images", ["999"])):
        write_pictures(tmp_path / f"imagenetv2-{variant}-format-val", classes, 1)
    roots = _root(tmp_path, "imagenet-v2")
    assert sorted(open_dataset("imagenet-v2", roots).targets) == [0, 1, 2, 10]
    assert open_dataset("imagenet-v2-top-images", roots).targets == [999]
    with pytest.raises(DataError, match=r"threshold0\.7-format-val"):
        open_dataset("imagenet-v2-threshold0.7", roots)


def test_stylized_pictures_are_shown_as_stored_and_only_at_224(tmp_path: Path) -> None:
    write_pictures(tmp_path / "val", ["n01440764"], 2, size=224, width=224)
    dataset = open_dataset("stylized", _root(tmp_path, "stylized"))
    assert dataset.as_stored
    first = dataset.manifest
    Image.new("RGB", (256, 224)).save(tmp_path / "val" / "n01440764" / "z.JPEG")
    again = open_dataset("stylized", _root(tmp_path, "stylized"))
    assert again.manifest != first
    with pytest.raises(UnreadableError, match="256x224 pixels where stylized has 224x224"):
        again.read(2)


def test_corrupted_files_of_another_size_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "fog" / "3", ["n01440764"], 1, size=299, width=299)
    with pytest.raises(DataError, match="has 299x299 pixels, expected 224x224"):
        open_dataset("imagenet-c", _root(tmp_path, "imagenet-c"), "fog/3")


def test_cue_conflict_labels_are_shapes_in_any_layout(tmp_path: Path) -> None:
    for place, name in (("cat", "cat7-elephant1"), ("dnn/session-1", "0002_cc_dnn_truck_00_truck1-bear2")):
        (tmp_path / place).mkdir(parents=True)
        Image.new("RGB", (224, 224)).save(tmp_path / place / f"{name}.png")
    dataset = open_dataset("cue-conflict", _root(tmp_path, "cue-conflict"))
    order = list(CATEGORIES)
    assert dict(zip(dataset.ids, dataset.targets, strict=True)) == {
        "cat7-elephant1": order.index("cat"),
        "truck1-bear2": order.index("truck"),
    }
    Image.new("RGB", (8, 8)).save(tmp_path / "cat" / "zebra1-cat1.png")
    with pytest.raises(DataError, match="found zebra1-cat1"):
        open_dataset("cue-conflict", _root(tmp_path, "cue-conflict"))


def test_robustbench_pictures_are_chosen_by_its_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bench.datasets.known.imagenet as known

    write_pictures(tmp_path, ["n01440764"], 3)
    monkeypatch.setattr(known, "robustbench_ids", lambda: frozenset({"n01440764_1"}))
    dataset = open_dataset("robustbench-5k", _root(tmp_path, "imagenet"))
    assert dataset.ids == ["n01440764_1"]
    assert dataset.subset.startswith("1 of 5000 images")
    monkeypatch.setattr(known, "robustbench_ids", lambda: frozenset({"ILSVRC2012_val_00000001"}))
    with pytest.raises(DataError, match="original file names"):
        open_dataset("robustbench-5k", _root(tmp_path, "imagenet"))


def test_categories_are_disjoint_and_named_after_their_classes() -> None:
    members = [m for classes in CATEGORIES.values() for m in classes]
    assert len(members) == len(set(members)) == 207
    assert list(CATEGORIES) == sorted(CATEGORIES)
    index = imagenet_index()
    for category, wnid in (("airplane", "n02690373"), ("knife", "n03041632"), ("oven", "n04111531")):
        assert CATEGORIES[category] == (index[wnid],)
