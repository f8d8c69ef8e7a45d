"""The folder of downloaded weights: `BENCH_CACHE`, or the platform's cache folder."""

import os
import re
import sys
from pathlib import Path


def cache_dir() -> Path:
    """`BENCH_CACHE`, or `bench` in the platform's own cache folder."""
    if given := os.environ.get("BENCH_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "bench"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/bench").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "bench"


def weights_dir(name: str) -> Path:
    """Where the files of the checkpoint called `name` lie; characters unfit for a folder become dashes."""
    return cache_dir() / "weights" / re.sub(r"[^\w.-]+", "-", name)
