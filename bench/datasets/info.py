"""The record of a data set, from which tables, doctor, fetch, columns and pages are made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.datasets.base import Dataset


@dataclass(frozen=True)
class FoundPictures:
    """Images found together in `folder` in a `layout`, and their set. `name` is empty if unknown; `part` is their
    part of the set (`fog/3`); `kind` is from the images' own names: a set's name, `training`, `test`, or empty."""

    folder: Path
    layout: str
    name: str = ""
    part: str = ""
    kind: str = ""

    def __str__(self) -> str:
        kind = f", images of the {self.kind} split" if self.kind in ("training", "test") else ""
        return f"{self.name or 'images of no known set'} in {self.folder} ({self.layout}{kind})"


@dataclass(frozen=True)
class SetPlace:
    """Place of a set under `root`: one folder, or one folder per part. `elsewhere` lists other finds."""

    root: Path
    found: tuple[FoundPictures, ...] = ()
    elsewhere: tuple[FoundPictures, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of a set that lies in one."""
        return self.found[0].folder if self.found else self.root

    def of_part(self, part: str) -> list[FoundPictures]:
        """Return the place of `part` by its folder's name, and the shards that may contain it."""
        return [f for f in self.found if f.part == part] or [f for f in self.found if f.part == ANY_PART]


ANY_PART = "*"
"""Part of shards that contain several parts."""

EMPTY = "empty folder"
"""Layout of an empty folder with the name of a part."""

Opener = Callable[[SetPlace, str], Dataset]
"""Function that opens a set at its place; the second argument is its part (`fog/3` of ImageNet-C), usually empty."""

RESEARCH = "research only, by registration"

WNID_FOLDERS = "WNID/*.JPEG, or tar shards, or Parquet with image and label"


@dataclass(frozen=True)
class Archive:
    """One file of a release. `size` in bytes (0: unknown); a hash where one was published."""

    url: str
    size: int = 0
    sha256: str = ""
    md5: str = ""

    @property
    def name(self) -> str:
        """Its file name."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class SetInfo:
    """One data set.

    `order` is its place in tables and columns, `heading` its column's head, `headline` the metric that it is known by.
    `count` images when complete (0: any number) in label space `labels`. `source` names the set in whose folder it
    is read, where that is not its own; sets that are `generated` need no folder. `layout` says how it lies under a
    data root ([optional], a|b: either); `archives` are what may be downloaded, without registration.
    """

    name: str
    title: str
    order: int
    labels: str
    count: int
    licence: str
    address: str
    open: Opener
    layout: str = ""
    source: str = ""
    generated: bool = False
    archives: tuple[Archive, ...] = ()
    heading: str = ""
    headline: str = "accuracy"
    citation: str = ""
    pictures: str = ""
    parts: str = ""
    scattered: bool = False
    accepts: tuple[str, ...] = ()
    all_parts: tuple[str, ...] = ()
    extra_parts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name of the folder that it is read from."""
        return self.source or self.name
