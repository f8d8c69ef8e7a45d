"""Every layout of ImageNet gives the same ids, labels and manifest; class order never comes from folder order."""

import csv
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from bench.datasets.base import Subset, View
from bench.datasets.doctor import diagnose
from bench.datasets.folder import missing_classes, read_class_folders, read_folder
from bench.datasets.labels import check_fit, imagenet_index, imagenet_wnids, label_space
from bench.datasets.table import DataRoots, open_dataset, parse_roots
from bench.datasets.tiny import CLASSES, generate
from bench.errors import DataError, UsageError
from bench.testing import write_pictures
from model_zoo.registry import find_card

WNIDS = ["n02123045", "n01440764", "n15075141"]  # classes 281, 0 and 999 of the sorted list


@pytest.fixture
def by_wnid(tmp_path: Path) -> Path:
    root = write_pictures(tmp_path / "wnid", WNIDS)
    for number, path in enumerate(sorted(root.glob("*/*.JPEG")), 1):
        path.rename(path.with_name(f"ILSVRC2012_val_{number:08d}.JPEG"))
    return root


def flat(by_wnid: Path, root: Path) -> dict[str, str]:
    """The same images in one folder; returns wnid by file stem."""
    root.mkdir(parents=True)
    wnids = {}
    for path in sorted(by_wnid.glob("*/*.JPEG")):
        (root / path.name).write_bytes(path.read_bytes())
        wnids[path.stem] = path.parent.name
    return wnids


def test_classes_come_from_wnids(by_wnid: Path) -> None:
    dataset = read_folder(by_wnid, "imagenet", "imagenet1k")
    expected = {p.stem: imagenet_index()[p.parent.name] for p in by_wnid.glob("*/*.JPEG")}
    assert dict(zip(dataset.ids, dataset.targets, strict=True)) == expected
    assert {imagenet_index()[w] for w in WNIDS} == {281, 0, 999}
    assert len(missing_classes(dataset, 1000)) == 997


def test_kaggles_flat_layout_is_the_same_set(by_wnid: Path, tmp_path: Path) -> None:
    wnids = flat(by_wnid, tmp_path / "flat" / "val")
    with (tmp_path / "flat" / "LOC_val_solution.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ImageId", "PredictionString"])
        writer.writerows([stem, f"{wnid} 1 2 3 4 "] for stem, wnid in wnids.items())
    kaggle = read_folder(tmp_path / "flat" / "val", "imagenet", "imagenet1k")
    assert kaggle.manifest == read_folder(by_wnid, "imagenet", "imagenet1k").manifest


def test_the_devkits_own_class_order_is_mapped(by_wnid: Path, tmp_path: Path) -> None:
    wnids = flat(by_wnid, tmp_path / "official" / "val")
    data = tmp_path / "official" / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    shuffled = np.random.default_rng(0).permutation(imagenet_wnids())  # the devkit does not sort by wnid
    synsets = np.array([(i + 1, w) for i, w in enumerate(shuffled)], dtype=[("ILSVRC2012_ID", int), ("WNID", object)])
    savemat(data / "meta.mat", {"synsets": synsets.reshape(-1, 1)})
    number = {wnid: i + 1 for i, wnid in enumerate(shuffled)}
    truth = "\n".join(str(number[wnids[stem]]) for stem in sorted(wnids))
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(truth + "\n")
    official = read_folder(tmp_path / "official" / "val", "imagenet", "imagenet1k")
    assert official.manifest == read_folder(by_wnid, "imagenet", "imagenet1k").manifest


def test_numbered_folders_are_numbers_not_strings(tmp_path: Path) -> None:
    root = write_pictures(tmp_path, ["0", "1", "2", "10", "100"], 1)
    dataset = read_folder(root, "imagenet-v2", "imagenet1k")
    assert sorted(dataset.targets) == [0, 1, 2, 10, 100]
    assert all(
        target == int(image_id.split("_")[0]) for image_id, target in zip(dataset.ids, dataset.targets, strict=True)
    )


def test_any_class_folders_are_labelled_in_sorted_order(tmp_path: Path) -> None:
    dataset = read_class_folders(write_pictures(tmp_path, ["cat", "ant"], 1), "folder")
    assert dataset.labels == "folder2"
    assert dict(zip(dataset.ids, dataset.targets, strict=True)) == {"ant_0": 0, "cat_0": 1}


def test_equal_file_names_in_two_classes_stay_apart(tmp_path: Path) -> None:
    for wnid in WNIDS[:2]:
        write_pictures(tmp_path, [wnid], 1)
        (tmp_path / wnid / f"{wnid}_0.JPEG").rename(tmp_path / wnid / "same.JPEG")
    assert read_folder(tmp_path, "imagenet", "imagenet1k").ids == ["n01440764/same", "n02123045/same"]


def test_a_limit_is_spread_over_the_set_and_labelled(by_wnid: Path) -> None:
    whole = read_folder(by_wnid, "imagenet", "imagenet1k")
    part = Subset(whole, 4)
    assert len(part) == 4
    assert part.ids == sorted(part.ids)
    assert part.subset == "limit 4 of 6 images"
    assert part.manifest != whole.manifest
    assert Subset(whole, 3).ids == [i for i in part.ids if i in set(Subset(whole, 3).ids)]  # smaller limits nest


def test_a_changed_file_changes_the_manifest(by_wnid: Path) -> None:
    before = read_folder(by_wnid, "imagenet", "imagenet1k").manifest
    path = next(by_wnid.glob("*/*.JPEG"))
    path.write_bytes(path.read_bytes() + b" ")
    assert read_folder(by_wnid, "imagenet", "imagenet1k").manifest != before


def test_a_wrong_root_says_what_was_expected_and_found(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("x")
    with pytest.raises(DataError, match=r"no folders by wnid.*found holiday.txt; `bench doctor"):
        read_folder(tmp_path, "imagenet", "imagenet1k")
    with pytest.raises(DataError, match="no folder"):
        read_folder(tmp_path / "nowhere", "imagenet", "imagenet1k")


def test_official_corruption_folders_and_the_way_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "weather" / "fog" / "3", WNIDS, 1, size=224, width=224)
    roots = DataRoots({"imagenet-c": tmp_path})
    assert len(open_dataset("imagenet-c", roots, "fog/3")) == 3
    with pytest.raises(DataError, match="imagenet-c-live"):
        open_dataset("imagenet-c", roots, "snow/3")


def test_wnids_in_capitals_are_wnids(by_wnid: Path) -> None:
    small = read_folder(by_wnid, "imagenet", "imagenet1k")
    for folder in list(by_wnid.iterdir()):
        folder.rename(by_wnid / f"{folder.name}_").rename(by_wnid / folder.name.upper())
    large = read_folder(by_wnid, "imagenet", "imagenet1k")
    assert (large.ids, large.targets, large.proof) == (small.ids, small.targets, small.proof)


def test_two_folders_of_one_class_with_the_same_images_are_refused(by_wnid: Path) -> None:
    """Each image counted twice, without a word."""
    shutil.copytree(by_wnid / "n01440764", by_wnid / "n01440764_tench")
    with pytest.raises(
        DataError, match="n01440764/ and n01440764_tench/ are one class, and both hold ILSVRC2012_val_0"
    ):
        read_folder(by_wnid, "imagenet", "imagenet1k")
    for path in (by_wnid / "n01440764_tench").iterdir():
        path.rename(path.with_stem(f"more_{path.stem}"))
    assert len(read_folder(by_wnid, "imagenet", "imagenet1k")) == 8


def test_files_that_differ_in_their_ending_alone_are_told(by_wnid: Path) -> None:
    one = next((by_wnid / "n01440764").iterdir())
    one.with_suffix(".png").write_bytes(one.read_bytes())
    (said,) = read_folder(by_wnid, "imagenet", "imagenet1k").notes
    assert said == f"1 classes have files that differ in their ending alone, which all count (n01440764/{one.stem})"


def test_partial_sets_are_labelled(by_wnid: Path) -> None:
    dataset = open_dataset("imagenet", DataRoots({}, by_wnid))
    assert dataset.subset == "6 of 50000 images, 997 of 1000 classes missing"


def test_roots_as_typed(tmp_path: Path) -> None:
    (tmp_path / "imagenet").mkdir()
    roots = parse_roots(f"imagenet-c={tmp_path},{tmp_path}", None)
    assert roots.common == tmp_path
    assert roots.own == {"imagenet-c": tmp_path}
    with pytest.raises(UsageError, match="did you mean imagenet-c"):
        parse_roots(f"imagnet-c={tmp_path}", None)
    with pytest.raises(DataError, match="not a folder"):
        parse_roots(str(tmp_path / "nowhere"), None)


def test_a_set_is_known_by_its_pictures_and_serves_no_other(tmp_path: Path) -> None:
    def put(place: Path, stem: str) -> Path:
        write_pictures(place, ["n01440764"], 1)
        (place / "n01440764" / "n01440764_0.JPEG").rename(place / "n01440764" / f"{stem}.JPEG")
        return place

    sketches = put(tmp_path / "a" / "anything", "sketch_3")
    assert DataRoots({}, sketches).place("imagenet-sketch").folder == sketches
    assert DataRoots({}, tmp_path / "a").place("imagenet-sketch").folder == sketches
    for other in ("imagenet", "stylized", "imagenet-a"):
        with pytest.raises(DataError, match=rf"{other}: not under .*, which holds imagenet-sketch \(folders by wnid\)"):
            DataRoots({}, sketches).place(other)
        with pytest.raises(DataError, match="which holds imagenet-sketch"):
            DataRoots({other: sketches}).place(other)
    photographs = put(tmp_path / "b" / "mine", "photograph")
    assert DataRoots({}, photographs).place("imagenet").folder == photographs
    with pytest.raises(DataError, match=r"imagenet-sketch: not under .* name it: --data imagenet-sketch=DIR"):
        DataRoots({}, photographs).place("imagenet-sketch")
    assert DataRoots({"imagenet-sketch": photographs}).place("imagenet-sketch").folder == photographs
    with pytest.raises(DataError, match=r"imagenet-c: not under .* imagenet-c-live"):
        DataRoots({}, photographs).place("imagenet-c")


def test_the_doctor_names_what_is_wrong(by_wnid: Path) -> None:
    (by_wnid / "n02123045" / "bad.JPEG").write_text("text")
    (by_wnid / "n02123045" / "readme.txt").write_text("text")
    write_pictures(by_wnid, ["n99999999"], 1)
    (found,) = diagnose(by_wnid)
    report = "\n".join(found.lines())
    for part in (
        "folders by wnid, 7 images in 3 classes",
        "unreadable: bad: not an image",
        "left out: 1 folders of images whose names are not wnids of ImageNet-1k (n99999999)",
        "left out: 1 files that are not images (n02123045/readme.txt)",
        "note: no image of n01443537, n01484850",
        "64x48 (6)",
    ):
        assert part in report, part
    assert report.count("997 of 1000 classes") == report.count("of 50000 images") == 1


def test_class_folders_by_name_are_not_taken_for_known_classes_in_their_order(tmp_path: Path) -> None:
    """The tiny classes begin with disc and ring, and folders with arrow and bar: nearly all would be wrong."""
    made, card = generate("val", 10, 7), find_card("tiny_std")
    for kind, names in (("named", CLASSES), ("numbered", range(10)), ("class", [f"class{i:02d}" for i in range(10)])):
        for index, label in enumerate(range(10)):
            place = tmp_path / kind / str(list(names)[label])
            place.mkdir(parents=True)
            Image.fromarray(made.images[index]).save(place / "x.png")
        dataset = read_class_folders(tmp_path / kind, "folder")
        if kind == "named":
            with pytest.raises(DataError, match=r"classes of tiny10 \(disc, .* order of their names \(arrow, .*number"):
                check_fit(label_space(dataset.labels), card, dataset.folders)
        else:
            check_fit(label_space(dataset.labels), card, dataset.folders)
            assert View(dataset, range(3)).folders == dataset.folders
    own = dataclasses.replace(card, labels="folder10")
    check_fit(label_space("folder10"), own, read_class_folders(tmp_path / "named", "folder").folders)


def test_a_network_of_ten_classes_on_wnid_folders_is_told_the_way(tmp_path: Path) -> None:
    dataset = read_class_folders(write_pictures(tmp_path, imagenet_wnids()[:10], 1), "folder")
    with pytest.raises(
        DataError, match=r"number the folders 0\.\.n-1 in its order, or give bench.run torchvision's Image"
    ):
        check_fit(label_space(dataset.labels), find_card("tiny_std"), dataset.folders)
