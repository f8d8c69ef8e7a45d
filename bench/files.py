"""Opening and reading files at an offset on every system.

Windows has no flags to refuse links or not to wait for pipes, and no reads and writes at an offset: there files are
opened plainly, as bytes, and one lock orders the reads and writes of threads.
"""

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

from model_zoo.filenames import no_device

LONGEST = 120
"""Maximum number of characters of a file's name, without its suffix."""

NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
"""Flag of `os.open`: refuse links."""

NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)
"""Flag of `os.open`: do not wait for a pipe."""

PLAIN: int = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Flags of `os.open`: child processes do not inherit the file; bytes are not translated."""

_one_at_a_time = threading.Lock()


def file_name(text: str) -> str:
    """Return a file name for any text, valid on every system: no separator, no dot at either end, no device, not too
    long."""
    found = quote(text, safe="@")
    bare = found.rstrip(".")
    named = bare + "%2E" * (len(found) - len(bare))
    named = no_device(f"%2E{named[1:]}" if named.startswith(".") else named)
    return named if len(named) <= LONGEST else _marked(named, text)


def file_names(texts: Iterable[str]) -> dict[str, str]:
    """Return `file_name` of each text, unlike the others' also where upper and lower case are one."""
    names = {text: file_name(text) for text in texts}
    counts = Counter(name.casefold() for name in names.values())
    return {text: _marked(name, text) if counts[name.casefold()] > 1 else name for text, name in names.items()}


def _marked(name: str, text: str) -> str:
    return f"{name[:LONGEST]}-{hashlib.sha256(json.dumps(text).encode()).hexdigest()[:8]}"


def read_at(handle: int, size: int, offset: int) -> bytes:
    """Read at most `size` bytes from `offset`; safe in several threads. Raises `OSError`."""
    if read := getattr(os, "pread", None):
        return bytes(read(handle, size, offset))
    with _one_at_a_time:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.read(handle, size)


def write_at(handle: int, data: bytes, offset: int) -> None:
    """Write `data` at `offset`; safe in several threads. Raises `OSError`."""
    if write := getattr(os, "pwrite", None):
        write(handle, data, offset)
        return
    with _one_at_a_time:
        os.lseek(handle, offset, os.SEEK_SET)
        os.write(handle, data)
