"""Ground truth in every form in which ImageNet's labels are handed round, and other layouts, each with its source."""

import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from bench.datasets.classes import torchvision_names
from bench.datasets.labels import imagenet_wnids
from bench.errors import DataError
from tests.datasets.test_layouts import STEMS, jpeg, labels, opened, parquet, put, refused, tar

ORDER = np.random.default_rng(0).permutation(1000)
"""A made-up order of the devkit's ids: the devkit does not sort by wnid."""


def flat(root: Path) -> Path:
    return put(root, (f"{stem}.JPEG" for stem in STEMS))


def full_list() -> list[int]:
    """A class for each of the 50,000 images, right for ours."""
    classes = [0] * 50_000
    for stem, label in STEMS.items():
        classes[int(stem[-8:]) - 1] = label
    return classes


def devkit_archive(root: Path) -> None:
    """torchvision/datasets/imagenet.py: ILSVRC2012_devkit_t12.tar.gz unopened beside the tars."""
    place = {label: i + 1 for i, label in enumerate(ORDER)}
    synsets = np.array(
        [(i + 1, imagenet_wnids()[c]) for i, c in enumerate(ORDER)], dtype=[("ILSVRC2012_ID", int), ("WNID", object)]
    )
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets.reshape(-1, 1)})
    members = {
        "ILSVRC2012_devkit_t12/data/meta.mat": meta.getvalue(),
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": "\n".join(
            str(place[c]) for c in full_list()
        ).encode(),
    }
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as out:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))


def synset_labels(root: Path) -> None:
    """tensorflow/models, research/slim/datasets/imagenet_2012_validation_synset_labels.txt."""
    text = "\n".join(imagenet_wnids()[c] for c in full_list())
    (root / "imagenet_2012_validation_synset_labels.txt").write_text(text)


def valprep(root: Path) -> None:
    """soumith/imagenetloader.torch, valprep.sh."""
    moves = [f"mv {stem}.JPEG {imagenet_wnids()[c]}/" for stem, c in STEMS.items()]
    (root / "valprep.sh").write_text("\n".join(["mkdir -p n01440764", *moves]))


def caffe(root: Path) -> None:
    """BVLC/caffe, data/ilsvrc12/get_ilsvrc_aux.sh: val.txt of names and numbers of the sorted wnids."""
    (root / "val.txt").write_text("\n".join(f"{stem}.JPEG {c}" for stem, c in STEMS.items()))


def mmpretrain(root: Path) -> None:
    """open-mmlab/mmpretrain, docs/en/user_guides/dataset_prepare.md: meta/val.txt beside val/."""
    (root / "meta").mkdir()
    (root / "meta" / "val.txt").write_text("\n".join(f"{stem}.JPEG {c}" for stem, c in STEMS.items()))


def paddle(root: Path) -> None:
    """PaddlePaddle/PaddleClas, docs: val_list.txt of `val/NAME LABEL`."""
    (root / "val_list.txt").write_text("\n".join(f"val/{stem}.JPEG {c}" for stem, c in STEMS.items()))


def swin(root: Path) -> None:
    """microsoft/Swin-Transformer, get_started.md: val_map.txt, separated by tabs."""
    (root / "val_map.txt").write_text("\n".join(f"{stem}.JPEG\t{c}" for stem, c in STEMS.items()))


def annotations(root: Path) -> None:
    """The ILSVRC release's bounding boxes: Annotations/CLS-LOC/val/NAME.xml."""
    folder = root / "Annotations" / "CLS-LOC" / "val"
    folder.mkdir(parents=True)
    for stem, c in STEMS.items():
        (folder / f"{stem}.xml").write_text(
            f"<annotation><object><name>{imagenet_wnids()[c]}</name></object></annotation>"
        )


FORMS = [devkit_archive, synset_labels, valprep, caffe, mmpretrain, paddle, swin, annotations]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: str(form.__name__))
def test_a_flat_folder_and_a_flat_tar_with_each_form_of_ground_truth(
    tmp_path: Path, form: Callable[[Path], None]
) -> None:
    flat(tmp_path / "flat" / "val")
    tar(tmp_path / "tar" / "ILSVRC2012_img_val.tar", {f"{stem}.JPEG": jpeg() for stem in STEMS})
    for root in (tmp_path / "flat", tmp_path / "tar"):
        form(root)
        assert labels(opened(root)) == STEMS


def test_a_list_in_another_class_order_is_refused(tmp_path: Path) -> None:
    """ILSVRC's own lists count by the devkit's ids, and ImageSets/CLS-LOC/val.txt numbers its lines."""
    flat(tmp_path / "a" / "val")
    (tmp_path / "a" / "val.txt").write_text("\n".join(f"{stem}.JPEG {int(ORDER[c])}" for stem, c in STEMS.items()))
    refused(tmp_path / "a", "another class")
    flat(tmp_path / "b" / "val")
    (tmp_path / "b" / "val.txt").write_text("\n".join(f"{stem} {int(stem[-8:])}" for stem in STEMS))
    refused(tmp_path / "b", "nothing labels them")


def test_shards_as_timm_writes_them_are_labelled_by_the_wnid_in_their_json(tmp_path: Path) -> None:
    """huggingface.co/datasets/timm/imagenet-1k-wds: key.jpg, key.cls and key.json with class_name."""
    members: dict[str, bytes] = {}
    for stem, c in STEMS.items():
        about = {"label": c, "filename": f"{stem}.JPEG", "class_name": imagenet_wnids()[c]}
        members |= {f"{stem}.jpg": jpeg(), f"{stem}.json": json.dumps(about).encode()}
    tar(tmp_path / "imagenet1k-validation-00.tar", members)
    dataset = opened(tmp_path)
    assert labels(dataset) == STEMS
    assert dataset.proof == "folders by wnid"


def test_the_hubs_cache_with_its_links(tmp_path: Path) -> None:
    """huggingface_hub: snapshots/REVISION/data/*.parquet are links into blobs/."""
    rows = [(f"{stem}_{imagenet_wnids()[c]}.JPEG", c) for stem, c in STEMS.items()]
    blob = parquet(tmp_path / "datasets--ILSVRC--imagenet-1k" / "blobs" / "0123abcd", rows, [*torchvision_names()])
    data = tmp_path / "datasets--ILSVRC--imagenet-1k" / "snapshots" / "49e2ee" / "data"
    data.mkdir(parents=True)
    (data / "validation-00000-of-00001.parquet").symlink_to(os.path.relpath(blob, data))
    assert labels(opened(tmp_path)) == STEMS


def test_class_folders_that_are_links_and_folders_within_them(tmp_path: Path) -> None:
    """Subsets are often links to class folders; Tiny ImageNet keeps images one folder deeper."""
    for stem, c in STEMS.items():
        put(tmp_path / "store" / imagenet_wnids()[c] / "images", [f"{stem}.JPEG"])
    (tmp_path / "subset").mkdir()
    for c in {*STEMS.values()}:
        (tmp_path / "subset" / imagenet_wnids()[c]).symlink_to(tmp_path / "store" / imagenet_wnids()[c])
    assert labels(opened(tmp_path / "subset")) == STEMS


@pytest.mark.parametrize("name", ["val.zip", "ILSVRC2012_img_val.tar.gz", "val_images.tar.gz"])
def test_compressed_archives_are_told_to_be_unpacked(tmp_path: Path, name: str) -> None:
    """Swin's val.zip, the Hub's val_images.tar.gz: nothing in them can be read at random."""
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match="compressed"):
        opened(tmp_path)
    shutil.rmtree(tmp_path)
