"""A results folder, on a disk or behind any fsspec address; every object is put whole or not at all.

::

    DIR/cells/CELL/cell.json                       what the cell is (`bench.record.Cell`, `bench.parts`)
    DIR/cells/CELL/START-STOP.CHECKSUM.parquet     the records of the unit [START, STOP)
    DIR/cells/CELL/START-STOP.incomplete.CHECKSUM.parquet    the same where images could not be read: to be done again
    DIR/cells/CELL/START-STOP.measurement.CHECKSUM.parquet   what was measured of the unit as a whole, if anything
    DIR/cells/CELL/reliability.json                under attack: whether the number can be believed, and why
    DIR/models/MODEL.json                          what each model is (`bench.known_models`)
    DIR/runs/RUN/run.json                          one invocation: everything needed to repeat it
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
"""Bytes of an object, at most."""


class NoObjectError(StoreError):
    """Nothing lies under a key."""


class Store:
    """Objects by key under one address. Local writes go to a temporary name and are renamed; elsewhere one put."""

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
        """Write `data` under `key`. Raises `StoreError` if it cannot be written; nothing half-written remains."""
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
        """The bytes under `key`. Raises `StoreError` if there are none."""
        try:
            data: bytes = self.fs.cat_file(f"{self.root}/{key}") if self.local is None else _get_file(self.local, key)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoObjectError(f"cannot read {self.address}/{key}: {error}") from error
        except self._failures as error:
            raise StoreError(f"cannot read {self.address}/{key}: {error}") from error
        return data

    def names(self, prefix: str) -> list[str]:
        """Names directly under `prefix`, sorted; empty where there is nothing."""
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
        """When an object directly under `prefix` came, went or was replaced last, in ns since 1970; None where that is
        not told. Of an object that is written over in place, as this store never does, nothing is seen."""
        try:
            return Path(_folder(self.local, prefix)).stat().st_mtime_ns if self.local is not None else None
        except OSError:
            return None

    def remove(self, key: str) -> None:
        """Delete the object under `key`, if it is there. Raises `StoreError` if it cannot be deleted."""
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
        """What reading and writing raise: network libraries have errors of their own that are no `OSError`."""
        return OSError if self.local is not None else Exception


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address; what names none is a folder here, whatever characters it has, and needs none."""
    if "://" in address:
        import fsspec  # which takes longer to import than a folder to read

        fs, root = fsspec.core.url_to_fs(address)
        return fs, str(root)
    return None, str(Path(address).expanduser().absolute())


def _put_file(path: Path, data: bytes) -> None:
    """Write it under another name, with the rights that the umask leaves, and rename it."""
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
    """The folder `prefix` of a results folder. Raises `NotADirectoryError` where a link would lead out of it."""
    place = str(root)
    for part in filter(None, prefix.split("/")):
        place = f"{place}/{part}"
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder of its own", place)
    return place


def _get_file(root: Path, key: str) -> bytes:
    """The bytes of a regular file: no link is followed, no pipe waited for, no device read without end."""
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
