"""The doctor on sets that it knows by name."""

import os
from pathlib import Path

import pytest
from PIL import Image

from bench.corruptions import NAMES
from bench.datasets.doctor import diagnose as diagnose_all
from bench.datasets.labels import imagenet_wnids, label_space
from bench.datasets.report import DataReport
from bench.metrics.real import real_labels
from bench.testing import write_pictures


def diagnose(root: Path) -> DataReport:
    """The only report of a folder with one set."""
    (report,) = diagnose_all(root)
    return report


def test_missing_conditions_strangers_and_sizes_of_imagenet_c(tmp_path: Path) -> None:
    root = tmp_path / "imagenet-c"
    for name in NAMES:
        for severity in range(1, 6):
            write_pictures(root / name / str(severity), ["n01440764"], 1, size=224, width=224)
    write_pictures(root / "motion_blurr" / "1", ["n01440764"], 1)
    for path in (root / "fog" / "4").rglob("*.JPEG"):
        path.unlink()
    (root / "fog" / "4" / "n01440764").rmdir()
    (root / "fog" / "4").rmdir()
    Image.new("RGB", (299, 299)).save(next((root / "snow" / "2").rglob("*.JPEG")))
    found = diagnose(root)
    report = "\n".join(found.lines())
    assert found.images == 73
    assert "1 of 75 conditions missing: fog/4" in report
    assert "299x299 pixels, expected 224x224" in report
    assert "20 of the 20 held-out conditions" in report
    assert "motion_blurr" in report
    assert "brightness/5: 1 of 50000 images, 999 of 1000 classes missing" in report


def test_199_of_200_classes(tmp_path: Path) -> None:
    wnids = [imagenet_wnids()[member] for (member,) in label_space("imagenet-r-200").members]
    root = write_pictures(tmp_path / "imagenet-r", wnids[1:], 1, size=8)
    found = diagnose(root)
    assert found.classes == 199
    assert found.problems == ["199 of 30000 images, 1 of 200 classes missing"]


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "imagenet-sketch", ["n01440764"], 1)
    (root / "n01440764" / "zebra.JPEG").write_bytes(b"")
    assert any("zebra: empty file" in problem for problem in diagnose(root).problems)


@pytest.mark.parametrize("kind", ["dangling", "looping", "pipe"])
def test_what_is_no_file_is_one_problem(tmp_path: Path, kind: str) -> None:
    root = write_pictures(tmp_path / "imagenet-sketch", ["n01440764"], 3)
    (before,) = diagnose(root).problems
    path = root / "n01440764" / "zebra.JPEG"
    match kind:
        case "dangling":
            path.symlink_to(tmp_path / "nowhere.JPEG")
        case "looping":
            path.symlink_to(path)
        case "pipe":
            os.mkfifo(path)
    counted, told = diagnose(root).problems
    assert before == "3 of 50889 images, 999 of 1000 classes missing"
    assert counted == "4 of 50889 images, 999 of 1000 classes missing"
    assert told.startswith("not scored, unreadable: zebra: no regular file: ")
    assert told.endswith({"dangling": "nowhere.JPEG)", "looping": "zebra.JPEG)", "pipe": "zebra.JPEG"}[kind])


def test_two_swapped_class_folders_are_named_by_their_pictures_own_names(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "mine", ["n01440764", "n01443537", "n01484850"], 5)
    assert not diagnose(root).problems
    (root / "n01440764").rename(root / "aside")
    (root / "n01443537").rename(root / "n01440764")
    (root / "aside").rename(root / "n01443537")
    (problem,) = diagnose(root).problems
    assert problem == (
        "imagenet: 2 class folders hold another class's images: n01440764/ holds n01443537's, "
        "n01443537/ holds n01440764's (10 images, by the wnids in their names)"
    )


def test_swapped_class_folders_of_official_files_are_found_by_the_real_labels(tmp_path: Path) -> None:
    wnids = imagenet_wnids()
    of_class = {c: [i for i, labels in enumerate(real_labels()) if labels == {c}][:6] for c in (0, 1, 2)}
    root = tmp_path / "imagenet-c"
    for severity, folders in (("1", {0: 0, 1: 1, 2: 2}), ("2", {0: 1, 1: 0, 2: 2})):
        for folder, held in folders.items():
            place = root / "fog" / severity / wnids[folder]
            place.mkdir(parents=True)
            for number in of_class[held]:
                Image.new("RGB", (224, 224)).save(place / f"ILSVRC2012_val_{number + 1:08d}.JPEG")
    swapped = [problem for problem in diagnose(root).problems if "another class's" in problem]
    pairs = f"{wnids[0]}/ holds {wnids[1]}'s, {wnids[1]}/ holds {wnids[0]}'s"
    assert swapped == [f"imagenet-c: fog/2: 2 class folders hold another class's images: {pairs}"]
