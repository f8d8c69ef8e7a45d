"""Tar shards read in place: an index of offsets, then plain reads, safe in several threads."""

import functools
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from PIL import Image

from bench.datasets.base import Dataset, names_of
from bench.datasets.classes import match_names, wnid_in
from bench.datasets.content import FileState, Loaded, content_hash, read_whole
from bench.datasets.images import EXTENSIONS, read_image
from bench.datasets.labels import imagenet_index
from bench.datasets.listing import HIDDEN, NO_PICTURES, LeftOut, is_hidden
from bench.datasets.proof import BY_NAMES, BY_NUMBERS, BY_WNIDS
from bench.datasets.truth import EXPECTED, find_truth
from bench.errors import DataError
from bench.naming import picture_id
from model_zoo.formats.bounded import BoundedFile

LABEL_BYTES = 1 << 16
"""Of a label's file at most."""

BESIDE = frozenset({".cls", ".json", ".txt", ".label", ".synset", ".class"})
"""Endings of what lies beside an image in WebDataset shards: labels, and what is said of the image."""


@dataclass(frozen=True)
class Member:
    """One file inside a tar: where its bytes lie."""

    path: PurePosixPath
    tar: Path
    offset: int
    size: int

    @property
    def key(self) -> tuple[Path, PurePosixPath]:
        """What files of one WebDataset sample share."""
        return self.tar, self.path.with_suffix("")

    def read(self, most: int | None = None) -> bytes:
        """Its bytes, or the first `most`."""
        with self.tar.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size if most is None else min(most, self.size))


class TarDataset(Dataset):
    """Images inside tars, in the order of their ids."""

    def __init__(self, name: str, labels: str, found: Sequence[tuple[Member, int]], *, as_stored: bool) -> None:
        names = names_of([member.path for member, _ in found])
        order = sorted(range(len(found)), key=names.__getitem__)
        self.members = [found[i][0] for i in order]
        super().__init__([names[i] for i in order], [found[i][1] for i in order])
        self.name, self.labels, self.as_stored = name, labels, as_stored

        self.states = {tar: FileState.at(tar) for tar in {member.tar for member, _ in found}}

    @property
    def stems(self) -> list[str]:
        return [member.path.stem for member in self.members]

    def read(self, index: int) -> Image.Image:
        return self.load(index).image

    def load(self, index: int) -> Loaded:
        data = self._bytes(index)
        return Loaded(read_image(io.BytesIO(data), self.members[index].path.name), content_hash(data))

    def hash_of(self, index: int) -> str:
        return content_hash(self._bytes(index))

    def _bytes(self, index: int) -> bytes:
        member = self.members[index]
        return read_whole(member.tar, self.states[member.tar], member.offset, member.size)

    def state(self, index: int) -> FileState | None:
        return self.states[self.members[index].tar]

    def content(self) -> list[tuple[object, ...]]:
        return [(i, t, m.size) for i, t, m in zip(self.ids, self.targets, self.members, strict=True)]


def read_tars(tars: Sequence[Path], name: str, labels: str, *, as_stored: bool = False, under: str = "") -> TarDataset:
    """The images of `tars` (those whose path holds the folders `under`).

    Layouts: WNID/*.JPEG at any depth, as the releases of ImageNet-A, -R and -C; WebDataset's key.jpg beside key.cls or
    key.json; the official flat tar with its ground truth beside it or above it (`truth`). Names that begin with a dot
    are no images. Raises `DataError` where a tar is damaged, or an image has no label.
    """
    members, left, inside = [m for tar in tars for m in index(tar)], LeftOut(), f"/{under.strip('/')}/" if under else ""
    within = [m for m in members if inside in f"/{m.path}"]
    for member in within:
        if is_hidden(member.path):
            left.add(HIDDEN, member.path)
    within = [m for m in within if not is_hidden(m.path)]
    chosen = [m for m in within if m.path.suffix.lower() in EXTENSIONS]
    beside = {m.key: m for m in within if m.path.suffix.lower() in BESIDE}
    beside |= {m.key: m for m in within if m.path.suffix.lower() == ".cls"}  # the label itself, where both are there
    keys = {m.key for m in chosen}
    for member in within:
        suffix = member.path.suffix.lower()
        if suffix not in EXTENSIONS and not (suffix in BESIDE and member.key in keys):
            left.add(NO_PICTURES, member.path)
    if not chosen:
        raise DataError(f"{name}: no images{f' under {under}/' if under else ''} in {', '.join(t.name for t in tars)}")
    labelled, proof = _labelled(chosen, beside, name)
    dataset = TarDataset(name, labels, labelled, as_stored=as_stored)
    dataset.proof, dataset.notes = proof, left.lines()
    return dataset


def _labelled(
    chosen: Sequence[Member], beside: Mapping[tuple[Path, PurePosixPath], Member], name: str
) -> tuple[list[tuple[Member, int]], str]:
    """Each image with its label, and the weakest of what tells them."""
    folders = _of_folders(chosen)
    found: list[tuple[Member, int]] = []
    proofs: set[str] = set()
    unlabelled: list[Member] = []
    for member in chosen:
        if (own := beside.get(member.key)) and (told := _told(own, name)):
            label, proof = told
        elif member.path.parent in folders:
            label, proof = folders[member.path.parent]
        else:
            unlabelled.append(member)
            continue
        found.append((member, label))
        proofs.add(proof)
    if unlabelled:
        found += _by_truth(unlabelled, name)
        proofs.add("ground truth")
    return found, next((p for p in (BY_NUMBERS, "ground truth", BY_NAMES, BY_WNIDS) if p in proofs), "")


def _of_folders(chosen: Sequence[Member]) -> dict[PurePosixPath, tuple[int, str]]:
    """Label, and what tells it, of each folder that an image lies in."""
    folders, index = list(dict.fromkeys(m.path.parent for m in chosen)), imagenet_index()
    names = match_names([folder.name for folder in folders])
    found: dict[PurePosixPath, tuple[int, str]] = {}
    for folder, named in zip(folders, names, strict=True):
        if wnid_in(folder.name) in index:
            found[folder] = index[wnid_in(folder.name)], BY_WNIDS
        elif folder.name.isdecimal() and folder.name.isascii():
            found[folder] = int(folder.name), BY_NUMBERS
        elif named is not None:
            found[folder] = named, BY_NAMES
    return found


def _by_truth(members: Sequence[Member], name: str) -> list[tuple[Member, int]]:
    """Labels of images in a flat tar. Raises `DataError` where nothing labels them."""
    truth = find_truth(members[0].tar.parent, [picture_id(m.path.stem) for m in members])
    if truth is None:
        raise DataError(
            f"{name}: {members[0].tar.name}: {members[0].path} lies in no folder by wnid or number, has no .cls file "
            f"with a label, and no ground truth labels it ({EXPECTED})"
        )
    return [(m, truth.labels[picture_id(m.path.stem)]) for m in members if picture_id(m.path.stem) in truth.labels]


def _told(member: Member, name: str) -> tuple[int, str] | None:
    """The label in a file beside an image: a number, a wnid, or a JSON with either. None where it tells none."""
    text = member.read(LABEL_BYTES).decode("utf-8", "replace").strip()
    values: list[object] = [text]
    if member.path.suffix.lower() == ".json":
        try:
            about = json.loads(text)
        except ValueError:
            about = None
        values = [about.get(k) for k in _JSON_KEYS] if isinstance(about, dict) else []
    for value in values:
        if isinstance(value, str) and wnid_in(value) in imagenet_index():
            return imagenet_index()[wnid_in(value)], BY_WNIDS
    for value in values:
        if isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdecimal()):
            return int(value), BY_NUMBERS
    if member.path.suffix.lower() == ".cls":
        raise DataError(f"{name}: {member.tar.name}: expected a whole number in {member.path}")
    return None


_JSON_KEYS = ("class_name", "wnid", "synset", "label", "cls", "class")


def index(tar: Path) -> tuple["Member", ...]:
    """List the files of a tar, read once: 75 conditions share five tars. Raises `DataError` if it is damaged."""
    return _index(tar, tar.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _index(tar: Path, _modified: int) -> tuple[Member, ...]:
    try:
        return tuple(_members(tar))
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{tar}: damaged or ends early ({error}); fetch it again") from None


def first_paths(tar: Path, count: int) -> list[PurePosixPath]:
    """The paths of the first `count` images: a peek that reads no further; empty for a damaged tar."""
    try:
        pictures = (m.path for m in _members(tar) if m.path.suffix.lower() in EXTENSIONS and not is_hidden(m.path))
        return list(islice(pictures, count))
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError):
        return []


def _members(tar: Path) -> Iterator[Member]:
    length = tar.stat().st_size
    with BoundedFile(tar) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            if not info.isfile():
                continue
            if info.size < 0 or info.offset_data < 0 or info.offset_data + info.size > length:
                raise tarfile.ReadError(f"{info.name} lies outside of the file")
            yield Member(PurePosixPath(info.name), tar, info.offset_data, info.size)
