"""The bytes of an image file: reading them from a regular file, their hash, and whether the file has changed."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.errors import DataError
from bench.files import NO_WAIT, PLAIN


class UnreadableError(Exception):
    """An image cannot be decoded; the engine records it as not scored and continues."""


class PassingError(UnreadableError):
    """An image cannot be read, perhaps temporarily: the disk, the network, a permission."""


class ChangedError(DataError):
    """An image is not the one that was listed or measured."""


@dataclass(frozen=True)
class Loaded:
    """An image, and the hash of what it was made from; none where its set's manifest already fixes every byte.

    levels: float32 [h, w, 3] in [0, 1], of an image that was given in more than eight bits; `image` is it rounded
    """

    image: Image.Image
    content: str | None
    levels: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class FileState:
    """The state of a file, which reveals without reading that somebody wrote to it: the time of the last change
    cannot be set."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> "FileState":
        """Return the state from the result of `stat`."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)

    @classmethod
    def at(cls, path: Path) -> "FileState | None":
        """Return the state of a regular file, or of a link's target; None for anything else."""
        try:
            found = path.stat()
        except (OSError, ValueError):
            return None
        return cls.of(found) if stat.S_ISREG(found.st_mode) else None


def content_hash(data: bytes | memoryview) -> str:
    """Return sixteen hex digits of the SHA-256, enough to avoid collisions within a set."""
    return hashlib.sha256(data).hexdigest()[:16]


def read_whole(path: Path, listed: FileState | None, offset: int = 0, size: int = -1) -> bytes:
    """The bytes of a regular file that is still as it was `listed`, all of them or `size` from `offset`.

    Raises `UnreadableError` for what is no file, `PassingError` where reading failed, `ChangedError` where it was
    written to since. A named pipe or a device is never waited for.
    """
    if listed is None:
        raise UnreadableError(f"no regular file: {path}{_leads(path)}")
    try:
        handle = os.open(path, os.O_RDONLY | NO_WAIT | PLAIN)
        with os.fdopen(handle, "rb") as file:
            _check(path, listed, os.fstat(handle))
            file.seek(offset)
            data = file.read(size)
            _check(path, listed, os.fstat(handle))
    except OSError as error:
        raise PassingError(f"{path}: {error.strerror or error}") from None
    return data


def check_unchanged(path: Path, listed: FileState | None) -> None:
    """Raise `ChangedError` if a file is not as it was `listed`."""
    if FileState.at(path) != listed:
        raise ChangedError(_changed(path))


def _check(path: Path, listed: FileState, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or FileState.of(found) != listed:
        raise ChangedError(_changed(path))


def _changed(path: Path) -> str:
    return (
        f"{path} changed while it was being measured; units in progress were dropped; next: make sure that nothing "
        "writes there, then repeat the same command"
    )


def _leads(path: Path) -> str:
    """Return where a broken link points."""
    try:
        return f" (a link to {path.readlink()})"
    except OSError:
        return ""
