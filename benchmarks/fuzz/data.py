"""Fuzzed readers of images and of data sets in every layout."""

import io
import json
import random
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import mutate
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mutate import damage
from PIL import Image
from reader import OURS

from bench.datasets import folder as folders
from bench.datasets.base import UnreadableError
from bench.datasets.doctor import diagnose
from bench.datasets.fetch import unpack
from bench.datasets.images import read_image
from bench.datasets.table import DataRoots, open_dataset
from bench.engine.decoded import DecodedCache
from bench.record import digest


def picture_samples() -> list[bytes]:
    noise_ = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    image, found = Image.fromarray(noise_), []
    moving = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
    grey, palette = image.convert("L"), image.convert("P")
    for picture, kind, options in (
        (image, "JPEG", {}),
        (image, "JPEG", {"progressive": True}),
        (image.convert("CMYK"), "JPEG", {}),
        (grey, "JPEG", {}),
        (image, "PNG", {}),
        (palette, "PNG", {}),
        (grey, "PNG", {}),
        (image.convert("RGBA"), "PNG", {}),
        (Image.fromarray(noise_[..., 0].astype(np.uint16) * 257), "PNG", {}),
        (palette, "GIF", {}),
        (image, "GIF", moving),
        (image, "WEBP", {}),
        (image, "WEBP", moving),
        (image, "BMP", {}),
        (image, "PPM", {}),
        (grey, "PPM", {}),
        (image, "TIFF", {}),
        (image, "TIFF", {"compression": "tiff_lzw"}),
        (image, "TIFF", {"compression": "jpeg"}),
        (grey.convert("F"), "TIFF", {}),
        (image, "PNG", moving),
        (image, "EPS", {}),
        (image, "PDF", {}),
        (image, "ICO", {}),
        (image, "JPEG2000", {}),
        (image, "TGA", {}),
        (image, "PCX", {}),
        (image, "SGI", {}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        found.append(buffer.getvalue())
    return found


def picture(place: Path, content: bytes) -> None:
    (place / "x.JPEG").write_bytes(content)
    found = read_image(place / "x.JPEG")
    if found.mode != "RGB":
        raise RuntimeError(f"mode {found.mode}")
    read_image(io.BytesIO(content), "x")


def tar_samples() -> list[bytes]:
    picture, found = picture_samples()[0], []
    for style in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=style) as archive:
            for name, content in (
                ("fog/3/n01440764/a.JPEG", picture),
                ("b.jpg", picture),
                ("b.cls", b"7"),
                ("n02123045/" + ("x" * 90 if style == tarfile.USTAR_FORMAT else "long" * 40) + ".JPEG", picture),
                ("é.jpg", picture),
                ("é.cls", b"12"),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        found.append(buffer.getvalue())
    return found


def opened(root: Path) -> None:
    """Open the set under `root` like a run: manifest and every image."""
    dataset = open_dataset("imagenet", DataRoots({"imagenet": root}))
    digest([dataset.ids, dataset.targets, dataset.manifest])
    pa.array(dataset.ids, pa.string())
    pa.array(dataset.targets, pa.int32())
    for position in range(len(dataset)):
        try:
            dataset.read(position)
        except UnreadableError as error:
            str(error).encode()


def tar(place: Path, content: bytes) -> None:
    (place / "x.tar").write_bytes(content)
    opened(place)


def parquet_samples() -> list[bytes]:
    picture, buffer = picture_samples()[0], io.BytesIO()
    rows = [{"image": {"bytes": picture, "path": f"{n}.jpg"}, "label": n} for n in range(4)]
    pq.write_table(pa.Table.from_pylist(rows), buffer, row_group_size=2)
    return [buffer.getvalue()]


def parquet(place: Path, content: bytes) -> None:
    (place / "x.parquet").write_bytes(content)
    opened(place)


def flat(place: Path) -> Path:
    """Make a flat folder of two images without labels."""
    folder = place / "flat"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(PICTURE)
    return folder


PICTURE = picture_samples()[0]


def kaggle_samples() -> list[bytes]:
    rows = [f"ILSVRC2012_val_{n:08d},n01440764 1 2 3 4 n02123045 1 2 3 4 " for n in (1, 2, 3)]
    return ["\n".join(["ImageId,PredictionString", *rows, ""]).encode()]


def kaggle(place: Path, content: bytes) -> None:
    (place / "LOC_val_solution.csv").write_bytes(content)
    opened(flat(place))


def truth(place: Path, content: bytes) -> None:
    (place / "ILSVRC2012_validation_ground_truth.txt").write_bytes(content)
    (place / "meta.mat").write_bytes(MAT)
    opened(flat(place))


def mat(place: Path, content: bytes) -> None:
    (place / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n")
    (place / "meta.mat").write_bytes(content)
    opened(flat(place))


def _mat() -> bytes:
    from scipy.io import savemat

    synsets = np.array([(1, "n01440764"), (2, "n02123045")], dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
    buffer = io.BytesIO()
    savemat(buffer, {"synsets": synsets})
    return buffer.getvalue()


MAT = _mat()


def folder_names(rng: random.Random, _samples: Sequence[bytes]) -> bytes:
    """Return paths of a data folder as bytes, any but NUL."""
    parts = [
        b"n01440764",
        b"0",
        b"7",
        "²".encode(),
        b"\xff\xfe",
        b"a\nb",
        b"=1",
        b"val",
        b"-9",
        b"9" * 30,
        "٣".encode(),
        b"x" * 255,
    ]
    files = [
        b"a.JPEG",
        b"a.png",
        b"\xff.jpg",
        "\u202e.gif".encode(),
        b".hidden.png",
        b"n01440764.JPEG",
        b"cat7-elephant1.png",
    ]
    count = rng.randrange(1, 5)
    same = rng.random() < 0.5
    one = rng.choice(parts)
    return b"\0".join((one if same else rng.choice(parts)) + b"/" + rng.choice(files) for _ in range(count))


def data_folder(place: Path, content: bytes) -> None:
    import os

    root = place / "imagenet"
    root.mkdir()
    for path in content.split(b"\0"):
        target = os.fsencode(root) + b"/" + path
        Path(os.fsdecode(target)).parent.mkdir(parents=True, exist_ok=True)
        Path(os.fsdecode(target)).write_bytes(PICTURE)
    problems = []
    for read in (
        lambda: opened(root),
        lambda: [line for report in diagnose(root) for line in report.lines()],
        lambda: folders.read_class_folders(root, "folder"),
    ):
        try:
            read()
        except tuple(OURS) as error:
            problems.append(error)
    if problems:
        raise problems[0]


def archive_samples() -> list[bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("set/n01440764/a.JPEG", "set/b.txt"):
            archive.writestr(name, PICTURE)
    return [buffer.getvalue(), *tar_samples()]


def archive(place: Path, content: bytes) -> None:
    """Run `bench data fetch` after the download. No file may be written outside the set's folder."""
    (place / "in").mkdir()
    (place / "in" / "set.tar").write_bytes(content)
    try:
        unpack(place / "in" / "set.tar", place / "data" / "set")
    finally:
        stray = [
            p
            for p in place.rglob("*")
            if not p.is_relative_to(place / "data")
            and p not in (place / "in", place / "in" / "set.tar", place / "data")
        ]
        links = [
            p for p in (place / "data").rglob("*") if p.is_symlink() and not p.resolve().is_relative_to(place.resolve())
        ]
        if stray or links:
            raise RuntimeError(f"unpacked outside: {stray[:2]} {links[:2]}")


def archive_bytes(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    return (
        rng.choice((mutate.tar_header, damage))(rng, samples[1:])
        if rng.random() < 0.6
        else rng.choice((mutate.zipped(damage), damage))(rng, samples[:1])
    )


def decoded_samples() -> list[bytes]:
    return [json.dumps({"version": 1, "manifest": "m", "view": "crop 224", "shape": [4, 4, 3]}).encode()]


def decoded(place: Path, content: bytes) -> None:
    about = {"version": 1, "manifest": "m", "view": "crop 224"}
    (place / f"m-{digest(about)}.json").write_bytes(content)
    cache_ = DecodedCache(place)
    cache_.get(("m", 0), [None])
    cache_.put(("m", 0), {None: np.zeros((4, 4, 3), np.uint8)})
