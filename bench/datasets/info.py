"""What is known of a data set: one record, from which tables, doctor, fetch, columns and pages are made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.datasets.base import Dataset

Opener = Callable[[Path, str], Dataset]
"""Opens a set in its folder; the second argument is its part (`fog/3` of ImageNet-C), mostly empty."""

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
    `count` pictures when complete (0: any number) in label space `labels`. `source` names the set in whose folder it
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

    @property
    def folder(self) -> str:
        """The name of the folder that it is read from."""
        return self.source or self.name
