"""Data that was made to do harm: refused by name, or one image unreadable; nothing runs, nothing leaves its folder.

What `benchmarks/fuzz` found, one test each.
"""

import io
import os
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.io import savemat

from bench.datasets import parquet
from bench.datasets.base import UnreadableError
from bench.datasets.images import read_image
from bench.datasets.matlab import read_structs
from bench.datasets.table import DataRoots, open_dataset
from bench.engine.decoded import DecodedCache
from bench.engine.pictures import Viewed
from bench.errors import DataError
from bench.record import digest
from tests.peak import arrow_memory


def picture(kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def opened(root: Path) -> list[str]:
    return open_dataset("imagenet", DataRoots({"imagenet": root})).ids


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "TIFF"])
def test_every_format_that_is_decoded_is_decoded(kind: str) -> None:
    assert read_image(io.BytesIO(picture(kind)), "x").size == (30, 24)


def test_postscript_in_a_jpeg_starts_no_ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow draws an EPS by running `gs` on it."""
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: started.append(args))
    monkeypatch.setattr(subprocess, "check_call", lambda *args, **_: started.append(args))
    (tmp_path / "x.JPEG").write_bytes(picture("EPS"))
    with pytest.raises(UnreadableError, match="not an image"):
        read_image(tmp_path / "x.JPEG")
    assert started == []


@pytest.mark.parametrize("side", [20_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels_is_not_decoded(side: int) -> None:
    bomb = bytearray(picture("BMP"))
    struct.pack_into("<ii", bomb, 18, side, side)
    with pytest.raises(UnreadableError, match=r"exceeds limit|x:"):
        read_image(io.BytesIO(bytes(bomb)), "x")


def test_whatever_a_decoder_raises_is_one_unreadable_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise IndexError("index out of range")

    content = picture("PNG")
    monkeypatch.setattr(Image.Image, "convert", broken)
    with pytest.raises(UnreadableError, match="index out of range"):
        read_image(io.BytesIO(content), "x")


def put(root: Path, *names: str | bytes) -> Path:
    for name in names:
        path = os.path.join(os.fsencode(root), os.fsencode(name))  # noqa: PTH118  bytes that are no text
        Path(os.fsdecode(path)).parent.mkdir(parents=True, exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(picture())
    return root


def test_a_name_that_is_no_text_becomes_an_id(tmp_path: Path) -> None:
    (name,) = opened(put(tmp_path, b"n01440764/\xff.JPEG"))
    assert pa.array([name], pa.string())[0].as_py() == "\\udcff"


def test_pictures_of_one_name_in_several_folders_or_formats_have_their_own_ids(tmp_path: Path) -> None:
    assert opened(put(tmp_path / "a", "n01440764/a.JPEG", "n02123045/a.JPEG")) == ["n01440764/a", "n02123045/a"]
    assert opened(put(tmp_path / "b", "n01440764/a.JPEG", "n01440764/a.png")) == ["n01440764/a.JPEG", "n01440764/a.png"]


def test_a_tar_names_them_as_folders_do_and_refuses_what_stands_in_it_twice(tmp_path: Path) -> None:
    source = put(tmp_path / "s", "n01440764/a.JPEG", "n02123045/a.JPEG")
    (tmp_path / "t").mkdir()
    with tarfile.open(tmp_path / "t" / "x.tar", "w") as tar:
        tar.add(source, "s")
    assert opened(tmp_path / "t") == opened(source)
    with tarfile.open(tmp_path / "t" / "x.tar", "a") as tar:
        tar.add(source / "n01440764" / "a.JPEG", "s/n01440764/a.JPEG")
    with pytest.raises(DataError, match=r"several images are called n01440764/a\.JPEG"):
        opened(tmp_path / "t")


@pytest.mark.parametrize("folder", ["1000", "99999999999999999999"])
def test_a_label_outside_the_label_space_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(DataError, match=rf"label {folder}; imagenet1k has 0\.\.999"):
        opened(put(tmp_path, f"{folder}/a.JPEG"))


def test_a_superscript_two_is_no_class_number(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing labels them"):
        opened(put(tmp_path, "²/a.JPEG".encode()))  # a name that is no text where the locale has ASCII alone


def webdataset(path: Path, label: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in (("a.jpg", picture()), ("a.cls", label)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(("label", "says"), [(b"\0", "expected a whole number"), (b"64260634660", "label 64260634660")])
def test_a_cls_file_that_holds_no_class_is_refused(tmp_path: Path, label: bytes, says: str) -> None:
    webdataset(tmp_path / "x.tar", label)
    with pytest.raises(DataError, match=says):
        opened(tmp_path)


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\0" * 3 + b"\x7f" * 8, b"77777777777\0"])
@pytest.mark.parametrize("kind", [b"0", b"L", b"x"])
def test_a_tar_header_of_an_impossible_size_takes_no_memory(tmp_path: Path, size: bytes, kind: bytes) -> None:
    webdataset(tmp_path / "x.tar", b"7")
    data = bytearray((tmp_path / "x.tar").read_bytes())
    data[124:136], data[156:157], data[148:156] = size, kind, b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.tar"):
        opened(tmp_path)


ROW = {"image": {"bytes": picture(), "path": "a.jpg"}, "label": 1}


@pytest.mark.parametrize(
    "table",
    [
        pa.Table.from_pylist([ROW | {"label": None}, ROW]),
        pa.Table.from_pylist([ROW | {"label": "x"}]),
        pa.Table.from_pylist([ROW | {"label": 2**62}]),
        pa.Table.from_pylist([ROW | {"image": "x"}]),
        pa.Table.from_pylist([ROW]).append_column("label", pa.array([1])),
        pa.Table.from_pylist([ROW | {"image": {"bytes": "text", "path": "a"}}]),
    ],
)
def test_foreign_columns_of_a_parquet_set_are_refused(tmp_path: Path, table: pa.Table) -> None:
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match="imagenet"):
        opened(tmp_path)


def test_a_parquet_page_that_is_damaged_is_refused_by_its_file(tmp_path: Path) -> None:
    row = ROW | {"image": {"bytes": picture(), "path": "n01443537_1.jpg"}}  # the name proves the number 1
    pq.write_table(pa.Table.from_pylist([row] * 4), tmp_path / "x.parquet", compression="none", use_dictionary=False)
    data = bytearray((tmp_path / "x.parquet").read_bytes())
    data[4:40] = b"\xff" * 36
    (tmp_path / "x.parquet").write_bytes(data)
    dataset = open_dataset("imagenet", DataRoots({"imagenet": tmp_path}))
    with pytest.raises(UnreadableError, match="damaged in its Parquet file"):
        dataset.read(0)


def flat(root: Path) -> Path:
    return put(root, "ILSVRC2012_val_00000001.JPEG")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"ImageId,PredictionString\nx," + b"y" * 200_000, b"a,b\n1,2\n"])
def test_a_damaged_solution_file_is_named(tmp_path: Path, content: bytes) -> None:
    (flat(tmp_path) / "LOC_val_solution.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"LOC_val_solution\.csv"):
        opened(tmp_path)


def devkit(root: Path, truth: bytes = b"1\n") -> Path:
    flat(root)
    (root / "ILSVRC2012_validation_ground_truth.txt").write_bytes(truth)
    synsets = np.array([(1, "n01440764"), (2, "n02123045")], dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
    savemat(root / "meta.mat", {"other": np.arange(3), "synsets": synsets}, do_compression=True)
    return root


@pytest.mark.parametrize("truth", [b"x\n", b"\xff\n", b"7\n", b"9" * 5000])
def test_a_damaged_ground_truth_is_named(tmp_path: Path, truth: bytes) -> None:
    with pytest.raises(DataError, match="ground_truth"):
        opened(devkit(tmp_path, truth))


def test_the_devkit_s_matlab_file_is_read_as_scipy_reads_it(tmp_path: Path) -> None:
    from scipy.io import loadmat

    rows = read_structs((devkit(tmp_path) / "meta.mat").read_bytes(), "synsets")
    expected = loadmat(tmp_path / "meta.mat", squeeze_me=True)["synsets"]
    assert [(row["ILSVRC2012_ID"], row["WNID"]) for row in rows] == [
        ((float(s["ILSVRC2012_ID"]),), str(s["WNID"])) for s in expected
    ]
    assert opened(tmp_path) == ["ILSVRC2012_val_00000001"]


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _filled(data: bytes) -> bytes:
    return data[:140] + b"\xff" * (len(data) - 140)


@pytest.mark.parametrize("damage", [_cut, _filled, lambda _: b"", lambda data: data[:128]])
def test_a_damaged_matlab_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = devkit(tmp_path) / "meta.mat"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"meta\.mat"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[", "[" * 100_000, "{}", '{"shape": [1, 2]}', '{"shape": [9999999999, 4, 3]}']
)
def test_a_damaged_description_in_the_decode_cache_is_written_anew(tmp_path: Path, content: str) -> None:
    about = {"version": 2, "manifest": "m", "view": "crop 224"}
    (tmp_path / f"m-{digest(about)}.json").write_text(content)
    image = np.full((4, 4, 3), 7, np.uint8)
    DecodedCache(tmp_path).put(("m", 0), Viewed({None: image}))
    found = DecodedCache(tmp_path).get(("m", 0), [None])
    assert found is not None
    np.testing.assert_array_equal(found.views[None], image)


def parquet_set(file: Path, rows: int, **columns: object) -> Path:
    """A small file that says one value of each column many times."""
    image = pa.StructArray.from_arrays(
        [pa.array([columns["bytes"]] * rows, pa.binary()), pa.array([columns["path"]] * rows, pa.string())],
        names=["bytes", "path"],
    )
    label = pa.array([columns.get("label", 7)] * rows)
    pq.write_table(pa.table({"image": image, "label": label}), file, compression="zstd", row_group_size=rows)
    return file


@pytest.mark.parametrize("column", ["bytes", "path", "label"])
def test_a_small_parquet_set_that_says_much_many_times_takes_no_memory(
    tmp_path: Path, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred times as much in memory as in the file: a limit of 4 MiB stands for the true one of 1 GiB."""
    monkeypatch.setattr(parquet, "MOST_BYTES", 1 << 22)
    long = "x" * 200_000
    values: dict[str, object] = {"bytes": b"x", "path": "a.JPEG"}
    values[column] = long.encode() if column == "bytes" else long
    file = parquet_set(tmp_path / "validation.parquet", 300, **values)
    assert file.stat().st_size < 1 << 20
    says = r"more than 4194304 bytes in row group 0; write the set with smaller groups"
    with arrow_memory() as pool, pytest.raises(DataError, match=says):
        parquet.read_parquet([file], "imagenet", "imagenet1k").load(0)
    assert 0 < pool.max_memory() < 1 << 24


def test_a_parquet_set_of_too_many_rows_is_refused_by_its_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MOST_ROWS", 10)
    file = parquet_set(tmp_path / "validation.parquet", 11, bytes=b"x", path="a.JPEG")
    monkeypatch.setattr(parquet, "read_bounded", lambda *_: pytest.fail("read"))
    with pytest.raises(DataError, match="11 rows, where a file has 10 at most"):
        parquet.read_parquet([file], "imagenet", "imagenet1k")
