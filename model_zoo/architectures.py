"""A cached index of the tensor names of timm's and torchvision's architectures.

Building a thousand networks takes minutes, so the index is made one family at a time, on request, and stored by library
version.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from model_zoo.cache import cache_dir

Names = Callable[[str], Collection[str] | None]
"""Function that returns the names of an architecture's tensors, or None for one that cannot be built."""


class Outline(NamedTuple):
    """The stored outline of an architecture: a digest of its tensors' names, and its outermost parts."""

    digest: str
    parts: tuple[str, ...]


def outline(names: Iterable[str]) -> Outline:
    """Return the outline of tensors called `names`; the caller drops counters."""
    known = sorted(names)
    digest = hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]
    return Outline(digest, tuple(sorted({name.partition(".")[0] for name in known})))


class Index:
    """Outlines by architecture (`timm:resnet50`), made by `names_of` if they are not cached."""

    def __init__(self, names_of: Names) -> None:
        self._names_of = names_of
        self._path = cache_dir() / f"architectures-timm-{version('timm')}-torchvision-{version('torchvision')}.json"
        self._known = dict(_read(self._path))
        self._kept = len(self._known)

    def outlines(self, names: Iterable[str]) -> dict[str, Outline]:
        """Return the outlines of `names`, which are stored once all of them are made."""
        found = {name: self._of(name) for name in names}
        self._keep()
        return found

    def _of(self, name: str) -> Outline:
        if name not in self._known:
            made = self._names_of(name)
            self._known[name] = Outline("", ()) if made is None else outline(made)
        return self._known[name]

    def _keep(self) -> None:
        """Write new outlines, under a temporary name first; a cache that cannot be written only costs time."""
        if len(self._known) == self._kept:
            return
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        with contextlib.suppress(OSError):
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._known), encoding="utf-8")
            part.replace(self._path)
            self._kept = len(self._known)


def _read(path: Path) -> Mapping[str, Outline]:
    """Return the stored outlines; none for a damaged file, which is then made again."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Outline(str(digest), tuple(map(str, parts))) for name, (digest, parts) in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
