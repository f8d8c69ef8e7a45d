"""The same images as folders, tar shards and Parquet; damaged and hostile archives."""

import dataclasses
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.datasets import fetch as fetching
from bench.datasets.base import UnreadableError
from bench.datasets.fetch import fetch, unpack
from bench.datasets.info import Archive
from bench.datasets.known import SETS
from bench.datasets.labels import imagenet_index
from bench.datasets.layouts import read_set
from bench.errors import DataError, UsageError
from bench.testing import write_pictures
from model_zoo.fetch import sha256_of

WNIDS = ("n01440764", "n02123045", "n15075141")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "imagenet-x", WNIDS, 2)


def _tar(source: Path, target: Path, *, prefix: str = "") -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w") as tar:
        tar.add(source, arcname=prefix or source.name)
    return target


def _parquet(source: Path, target: Path) -> Path:
    index = imagenet_index()
    rows = [
        {"image": {"bytes": p.read_bytes(), "path": p.name}, "label": index[p.parent.name]}
        for p in sorted(source.rglob("*.JPEG"))
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), target, row_group_size=2)
    return target


def test_every_layout_gives_the_same_pictures(folders: Path, tmp_path: Path) -> None:
    expected = read_set(folders, "x", "imagenet1k")
    _tar(folders, tmp_path / "tar" / "x.tar")
    _parquet(folders, tmp_path / "parquet" / "validation-00000.parquet")
    for layout in ("tar", "parquet"):
        found = read_set(tmp_path / layout, "x", "imagenet1k")
        assert (found.ids, found.targets) == (expected.ids, expected.targets)
        for i in (5, 0, 3):
            np.testing.assert_array_equal(np.asarray(found.read(i)), np.asarray(expected.read(i)))


def test_webdataset_shards_take_their_labels_from_cls_files(folders: Path, tmp_path: Path) -> None:
    picture = next(folders.rglob("*.JPEG")).read_bytes()
    with tarfile.open(tmp_path / "000.tar", "w") as tar:
        for key, label in (("b", 7), ("a", 3)):
            for suffix, content in ((".jpg", picture), (".cls", str(label).encode())):
                info = tarfile.TarInfo(key + suffix)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    dataset = read_set(tmp_path, "x", "imagenet1k")
    assert (dataset.ids, dataset.targets) == (["a", "b"], [3, 7])


def test_one_condition_of_a_tar_that_holds_many(folders: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "weather.tar", "w") as tar:
        tar.add(folders, arcname="fog/3")
        tar.add(folders / WNIDS[0], arcname=f"fog/30/{WNIDS[0]}")
    assert len(read_set(tmp_path, "imagenet-c", "imagenet1k", under="fog/3")) == 6
    with pytest.raises(DataError, match="no images under snow/1/"):
        read_set(tmp_path, "imagenet-c", "imagenet1k", under="snow/1")


def test_a_tar_that_ends_early_is_named(folders: Path, tmp_path: Path) -> None:
    whole = _tar(folders, tmp_path / "x.tar")
    whole.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"x\.tar: damaged or ends early"):
        read_set(tmp_path, "x", "imagenet1k")


def test_a_parquet_file_with_other_columns_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"jpg": [b""], "label": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: expected the columns image .* found jpg .binary., label .int64."):
        read_set(tmp_path, "x", "imagenet1k")


def test_an_empty_picture_inside_parquet_is_unreadable_not_fatal(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": b"", "path": "a.jpg"}, "label": 1}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    with pytest.raises(UnreadableError, match="empty file: a"):
        read_set(tmp_path, "x", "imagenet1k").read(0)


def _evil_tar(path: Path, name: str) -> Path:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    return path


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_an_archive_that_climbs_out_unpacks_nothing(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr(name, "x")
    for archive in (_evil_tar(tmp_path / "evil.tar", name), tmp_path / "evil.zip"):
        with pytest.raises(DataError, match="nothing was unpacked"):
            unpack(archive, tmp_path / "data" / "set")
    assert not list(tmp_path.rglob("outside"))
    assert not list((tmp_path / "data" / "set").iterdir())


@pytest.mark.parametrize("leads_to", ["/etc", "a"])
def test_an_archive_with_a_link_unpacks_nothing(leads_to: str, tmp_path: Path) -> None:
    """Not even one that stays inside: a chain of them need not."""
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, leads_to
        tar.addfile(info)
    with pytest.raises(DataError, match="nothing was unpacked"):
        unpack(tmp_path / "evil.tar", tmp_path / "set")


@pytest.fixture
def served(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """ImageNet-A as one local archive with its true hash."""
    tar = _tar(folders, tmp_path / "served" / "imagenet-a.tar", prefix="imagenet-a")
    archive = Archive(tar.as_uri(), tar.stat().st_size, sha256_of(tar))
    _release(monkeypatch, "imagenet-a", archive)
    monkeypatch.setattr(fetching, "download", _copy)
    return archive


def _release(monkeypatch: pytest.MonkeyPatch, name: str, archive: Archive) -> None:
    monkeypatch.setitem(SETS, name, dataclasses.replace(SETS[name], archives=(archive,)))


def _copy(url: str, target: Path, expected: object, progress: object) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(Path(url.removeprefix("file://")).read_bytes())
    return sha256_of(target)


def test_a_fetched_set_lies_where_it_is_read_and_is_fetched_once(served: Archive, tmp_path: Path) -> None:
    said: list[str] = []
    folder = fetch("imagenet-a", tmp_path / "data", say=said.append)
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == list(WNIDS)
    assert not (folder / "imagenet-a.tar").exists()
    fetch("imagenet-a", tmp_path / "data", say=said.append)
    assert said[-1] == "imagenet-a.tar: unpacked already"


def test_a_wrong_md5_is_refused(served: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _release(monkeypatch, "imagenet-c", Archive(served.url, md5="0" * 32))
    with pytest.raises(DataError, match="expected MD5 0000"):
        fetch("imagenet-c", tmp_path / "data", say=lambda _: None)
    assert not list((tmp_path / "data" / "imagenet-c").glob("n*"))


def test_sets_that_may_not_be_downloaded_say_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"image-net\.org"):
        fetch("imagenet-r-clean", tmp_path)
    with pytest.raises(UsageError, match="did you mean imagenet-a"):
        fetch("imagenet-aa", tmp_path)
