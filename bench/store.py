"""A results folder, on a disk or at any fsspec address; objects are written completely or not at all.

::

    DIR/cells/CELL/cell.json                       the cell's description (`bench.record.Cell`, `bench.parts`)
    DIR/cells/CELL/START-STOP.CHECKSUM.parquet     the records of the unit [START, STOP)
    DIR/cells/CELL/START-STOP.incomplete.CHECKSUM.parquet    the same with unreadable images: to be repeated
    DIR/cells/CELL/START-STOP.measurement.CHECKSUM.parquet   a measurement of the whole unit, if any
    DIR/cells/CELL/reliability.json                under attack: the reliability verdict
    DIR/models/MODEL.json                          identity of each model (`bench.known_models`)
    DIR/runs/RUN/run.json                          one run: everything needed to repeat it
"""

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.files import NO_LINK, NO_WAIT, PLAIN

RELIABILITY = "reliability.json"

LARGEST = 1 << 30
"""Maximum size of an object, in bytes."""


class NoObjectError(StoreError):
    """There is no object under a key."""


class Store:
    """Objects by key under one address. Local writes use a temporary name and a rename; elsewhere one put."""

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        try:
            self.fs, self.root = _opened(self.address)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"{self.address}: {error}; s3:// needs pip install 'robust-imagenet-bench[s3]', "
                "other addresses the package of fsspec that serves them"
            ) from error
        self.local = Path(self.root) if self.fs is None or "file" in _protocols(self.fs) else None

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`, completely or not at all. Raises `StoreError` if it cannot be written."""
        try:
            if self.local is None:
                self.fs.pipe_file(f"{self.root}/{key}", data)
            else:
                _put_file(self.local / key, data)
        except self._failures as error:
            raise StoreError(
                f"cannot write {self.address}/{key}: {getattr(error, 'strerror', None) or error}; "
                "free space or choose another --out, then repeat the same command: it continues"
            ) from error

    def get(self, key: str) -> bytes:
        """Return the bytes under `key`. Raises `StoreError` if there are none."""
        try:
            data: bytes = self.fs.cat_file(f"{self.root}/{key}") if self.local is None else _get_file(self.local, key)
        except (FileNotFoundError, NotADirectoryError, UnicodeEncodeError) as error:  # no file can have such a name
            raise NoObjectError(f"cannot read {self.address}/{key}: {error}") from error
        except self._failures as error:
            raise StoreError(f"cannot read {self.address}/{key}: {error}") from error
        return data

    def names(self, prefix: str) -> list[str]:
        """Return the names directly under `prefix`, sorted; empty if there are none."""
        try:
            if self.local is not None:  # fsspec takes ten times as long, and a folder has thousands of cells
                with os.scandir(_folder(self.local, prefix)) as entries:
                    return sorted(entry.name for entry in entries if entry.name[0] != ".")
            self.fs.invalidate_cache()
            found = self.fs.ls(f"{self.root}/{prefix}".rstrip("/"), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except self._failures as error:
            raise StoreError(f"cannot list {self.address}/{prefix}: {error}") from error
        return sorted(Path(name).name for name in found if not Path(name).name.startswith("."))

    def changed(self, prefix: str) -> int | None:
        """Return when an object directly under `prefix` was last added, removed or replaced, in ns since 1970; None
        if unknown. Does not detect an object that is overwritten in place, which this store never does."""
        try:
            return Path(_folder(self.local, prefix)).stat().st_mtime_ns if self.local is not None else None
        except OSError:
            return None

    def remove(self, key: str) -> None:
        """Delete the object under `key`, if it exists. Raises `StoreError` if it cannot be deleted."""
        try:
            if self.local is None:
                self.fs.rm_file(f"{self.root}/{key}")
            else:
                (self.local / key).unlink()
        except FileNotFoundError:
            return
        except self._failures as error:
            raise StoreError(f"cannot delete {self.address}/{key}: {error}") from error

    @property
    def _failures(self) -> type[Exception]:
        """Errors of reading and writing: network libraries have some that are not an `OSError`."""
        return OSError if self.local is not None else Exception


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _opened(address: str) -> tuple[Any, str]:
    """Return the file system of an address; without a protocol it is a local folder, whatever characters it has, and
    needs none."""
    if "://" in address:
        import fsspec  # which takes longer to import than a folder to read

        fs, root = fsspec.core.url_to_fs(address)
        return fs, str(root)
    return None, str(Path(address).expanduser().absolute())


def _put_file(path: Path, data: bytes) -> None:
    """Write it under another name, with the permissions of the umask, and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _folder(root: Path, prefix: str) -> str:
    """Return the folder `prefix` of a results folder. Raises `NotADirectoryError` if a link would lead out of it."""
    place = str(root)
    for part in filter(None, prefix.split("/")):
        place = f"{place}/{part}"
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder of its own", place)
    return place


def _get_file(root: Path, key: str) -> bytes:
    """Return the bytes of a regular file; follows no link, waits for no pipe, reads no device."""
    folder, _, name = key.rpartition("/")
    path = f"{_folder(root, folder)}/{name}"
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a link, pipe or device, where results folders hold regular files; remove it")
    if found.st_size > LARGEST:
        raise OSError(errno.EFBIG, f"{found.st_size} bytes, where no object has more than {LARGEST}")
    handle = os.open(path, os.O_RDONLY | NO_LINK | NO_WAIT | PLAIN)
    with os.fdopen(handle, "rb") as file:
        return file.read(found.st_size)
