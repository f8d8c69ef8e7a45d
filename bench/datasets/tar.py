"""Tar shards read in place: an index of offsets, then plain reads, safe in several threads."""

import functools
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from bench.datasets.base import Dataset, names_of
from bench.datasets.images import EXTENSIONS, read_image
from bench.datasets.labels import imagenet_index
from bench.errors import DataError
from model_zoo.formats.bounded import BoundedFile


@dataclass(frozen=True)
class Member:
    """One file inside a tar: where its bytes lie."""

    path: PurePosixPath
    tar: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes."""
        with self.tar.open("rb") as file:
            return os.pread(file.fileno(), self.size, self.offset)


class TarDataset(Dataset):
    """Pictures inside tars, in the order of their ids."""

    def __init__(self, name: str, labels: str, found: Sequence[tuple[Member, int]], *, as_stored: bool) -> None:
        names = names_of([member.path for member, _ in found])
        order = sorted(range(len(found)), key=names.__getitem__)
        self.members = [found[i][0] for i in order]
        super().__init__([names[i] for i in order], [found[i][1] for i in order])
        self.name, self.labels, self.as_stored = name, labels, as_stored

    def read(self, index: int) -> Image.Image:
        member = self.members[index]
        return read_image(io.BytesIO(member.read()), member.path.name)

    def content(self) -> list[tuple[object, ...]]:
        return [(i, t, m.size) for i, t, m in zip(self.ids, self.targets, self.members, strict=True)]


def read_tars(tars: Sequence[Path], name: str, labels: str, *, as_stored: bool = False, under: str = "") -> TarDataset:
    """The pictures of `tars` (those whose path holds the folders `under`), labelled by folder or by a `.cls` file.

    Layouts: WNID/*.JPEG at any depth, as the releases of ImageNet-A, -R and -C; WebDataset's key.jpg beside key.cls.
    Raises `DataError` where a tar is damaged, or a picture has no label.
    """
    members = [m for tar in tars for m in _index(tar, tar.stat().st_mtime_ns)]
    inside = f"/{under.strip('/')}/" if under else ""
    chosen = [m for m in members if inside in f"/{m.path}" and m.path.suffix.lower() in EXTENSIONS]
    classes = {(m.tar, m.path.with_suffix("")): m for m in members if m.path.suffix == ".cls"}
    if not chosen:
        raise DataError(
            f"{name}: no pictures{f' under {under}/' if under else ''} in {', '.join(t.name for t in tars)}"
        )
    return TarDataset(name, labels, [(m, _label(m, classes, name)) for m in chosen], as_stored=as_stored)


def _label(member: Member, classes: dict[tuple[Path, PurePosixPath], Member], name: str) -> int:
    if beside := classes.get((member.tar, member.path.with_suffix(""))):
        return _number(beside, name)
    folder, index = member.path.parent.name, imagenet_index()
    if folder in index:
        return index[folder]
    if folder.isdecimal():
        return int(folder)
    raise DataError(
        f"{name}: {member.tar.name}: {member.path} lies in no folder by wnid or number, and has no .cls file"
    )


def _number(member: Member, name: str) -> int:
    try:
        return int(member.read())
    except ValueError:
        raise DataError(f"{name}: {member.tar.name}: expected a whole number in {member.path}") from None


@functools.lru_cache(maxsize=256)
def _index(tar: Path, _modified: int) -> tuple[Member, ...]:
    """The files of a tar, read once: 75 conditions of ImageNet-C share five tars."""
    try:
        return tuple(_members(tar))
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{tar}: damaged or ends early ({error}); fetch it again") from None


def _members(tar: Path) -> Iterator[Member]:
    length = tar.stat().st_size
    with BoundedFile(tar) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            if not info.isfile():
                continue
            if info.size < 0 or info.offset_data < 0 or info.offset_data + info.size > length:
                raise tarfile.ReadError(f"{info.name} lies outside of the file")
            yield Member(PurePosixPath(info.name), tar, info.offset_data, info.size)
