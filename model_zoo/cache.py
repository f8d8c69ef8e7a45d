"""The folder of downloaded weights: `BENCH_CACHE`, or the platform's cache folder.

Each checkpoint has its own folder there, with its released files and their `SHA256SUMS` (readable by `sha256sum -c`).
"""

import os
import re
import sys
from pathlib import Path

from model_zoo.errors import WeightsError
from model_zoo.filenames import no_device

SUMS = "SHA256SUMS"


def cache_dir() -> Path:
    """Return `BENCH_CACHE`, or `bench` in the platform's cache folder. Raises `WeightsError` for a user without a
    home."""
    if given := os.environ.get("BENCH_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        own = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        own = "~/Library/Caches"
    else:
        own = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    try:
        return Path(own).expanduser() / "bench"
    except RuntimeError:  # as in containers that run under a bare number
        raise WeightsError("no home folder here to keep weights in; next: set BENCH_CACHE to a folder") from None


def weights_dir(name: str) -> Path:
    """Return the folder of the checkpoint called `name`; characters that a folder cannot have become dashes."""
    return cache_dir() / "weights" / no_device(re.sub(r"[^\w.-]+", "-", name))


def recorded(folder: Path) -> dict[str, str]:
    """Return SHA-256 by file name, as recorded when each file was first verified. Raises `WeightsError` for a
    damaged list: without it, any file would be accepted as the verified one."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise WeightsError(f"{path}: damaged ({error}); next: remove it, then: bench weights verify MODEL") from None
    lines = (line.split(maxsplit=1) for line in text.splitlines())
    return {parts[1]: parts[0] for parts in lines if len(parts) == 2}


def record(folder: Path, name: str, sha256: str) -> None:
    """Record the SHA-256 of the file called `name` in `folder`."""
    sums = {**recorded(folder), name: sha256}
    part = folder / f"{SUMS}.{os.getpid()}.part"
    part.write_text("".join(f"{digest}  {file}\n" for file, digest in sorted(sums.items())), encoding="utf-8")
    part.replace(folder / SUMS)
