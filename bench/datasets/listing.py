"""Contents of a folder, by names only: nothing is opened, and names that begin with a dot are never images."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from bench.datasets.images import EXTENSIONS

LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "lost+found", "@eaDir"})
"""Names of files that operating systems create."""

MOST_DEEP = 6
"""Maximum depth of folders within a class folder."""


class LeftOut:
    """Entries that a reader left out, counted by reason, with the first example of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str, example: object, count: int = 1) -> None:
        """Count `count` entries of a kind."""
        self._counts[reason] += count
        self._first.setdefault(reason, str(example))

    def take(self, other: "LeftOut", folder: str = "") -> None:
        """Add the counts of another look, within `folder`."""
        for reason, count in other._counts.items():
            self.add(reason, f"{folder}/{other._first[reason]}" if folder else other._first[reason], count)

    def lines(self) -> tuple[str, ...]:
        """Return lines such as `3 names that begin with a dot (.cache, ...)`."""
        return tuple(
            f"{count} {reason} ({self._first[reason]}{', ...' if count > 1 else ''})"
            for reason, count in sorted(self._counts.items())
        )


HIDDEN = "names that begin with a dot"
NO_PICTURES = "files that are not images"
NOT_FILES = "names that are neither files nor folders"
LINKS = "links to folders, not followed"


def is_hidden(path: PurePath) -> bool:
    """Return whether any part of a path within an archive begins with a dot, or is a system file."""
    return any(part.startswith(".") or part in LITTER for part in path.parts)


@dataclass(frozen=True)
class Listing:
    """The names in a folder, sorted: `folders`, `pictures` by extension, and `others`."""

    folder: Path
    folders: tuple[str, ...]
    pictures: tuple[str, ...]
    others: tuple[str, ...]
    left_out: LeftOut = field(compare=False)

    @classmethod
    def at(cls, folder: Path) -> "Listing":
        """Read the names of `folder`. Raises `OSError` where it cannot be read."""
        left = LeftOut()
        kinds: dict[str, list[str]] = {"folder": [], "picture": [], "other": []}
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name in LITTER:
                    left.add(HIDDEN if entry.name.startswith(".") else "files of the system", entry.name)
                elif (kind := _kind(entry)) == "folder":
                    kinds["folder"].append(entry.name)
                elif PurePath(entry.name).suffix.lower() in EXTENSIONS:
                    kinds["picture"].append(entry.name)  # a link to nowhere too: reading it says so
                elif kind != "file":
                    left.add(NOT_FILES, entry.name)
                else:
                    kinds["other"].append(entry.name)
        return cls(folder, tuple(kinds["folder"]), tuple(kinds["picture"]), tuple(kinds["other"]), left)

    def files(self, *endings: str) -> list[Path]:
        """Return the other files with these endings."""
        return [self.folder / name for name in self.others if name.lower().endswith(endings)]


def _kind(entry: "os.DirEntry[str]") -> str:
    """Return what an entry, or a link's target, is: `folder`, `file`, or empty."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else ""
    except OSError:  # of a link that leads to itself
        return ""


def pictures_within(folder: Path, left: LeftOut, deep: int = MOST_DEEP) -> Iterator[Path]:
    """Yield the images of a class folder and of folders within it, sorted, as torchvision's ImageFolder finds them."""
    found = Listing.at(folder)
    left.take(found.left_out, folder.name)
    for name in found.others:
        left.add(NO_PICTURES, f"{folder.name}/{name}")
    yield from (folder / name for name in found.pictures)
    for name in found.folders:
        if (folder / name).is_symlink() or not deep:
            left.add(LINKS if deep else "folders too deep", f"{folder.name}/{name}")
        else:
            yield from pictures_within(folder / name, left, deep - 1)
