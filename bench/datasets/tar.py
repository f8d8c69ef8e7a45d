"""Tar shards read in place: an index of offsets, then plain reads, safe in several threads."""

import functools
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from bench.datasets.base import Dataset
from bench.datasets.images import EXTENSIONS, read_image
from bench.datasets.labels import imagenet_index
from bench.errors import DataError


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
    """Pictures inside tars. Ids are file stems, so that every layout gives the same ids."""

    def __init__(self, name: str, labels: str, found: Sequence[tuple[Member, int]], *, as_stored: bool) -> None:
        found = sorted(found, key=lambda pair: pair[0].path.stem)
        self.members = [member for member, _ in found]
        super().__init__([m.path.stem for m in self.members], [label for _, label in found])
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
        return int(beside.read())
    folder, index = member.path.parent.name, imagenet_index()
    if folder in index:
        return index[folder]
    if folder.isdigit():
        return int(folder)
    raise DataError(
        f"{name}: {member.tar.name}: {member.path} lies in no folder by wnid or number, and has no .cls file"
    )


@functools.lru_cache(maxsize=256)
def _index(tar: Path, _modified: int) -> tuple[Member, ...]:
    """The files of a tar, read once: 75 conditions of ImageNet-C share five tars."""
    try:
        return tuple(_members(tar))
    except tarfile.TarError as error:
        raise DataError(f"{tar}: damaged or ends early ({error}); fetch it again") from None


def _members(tar: Path) -> Iterator[Member]:
    length = tar.stat().st_size
    with tarfile.open(tar, "r:") as archive:
        for info in archive:
            if not info.isfile():
                continue
            if info.offset_data + info.size > length:
                raise tarfile.ReadError(f"{info.name} reaches past the end of the file")
            yield Member(PurePosixPath(info.name), tar, info.offset_data, info.size)
