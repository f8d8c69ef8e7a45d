"""`bench data fetch`: download a set, with resume and checksums, and unpack it in its place."""

import errno
import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from bench.datasets.info import Archive
from bench.datasets.known import SETS
from bench.errors import DataError, UsageError
from model_zoo.errors import WeightsError
from model_zoo.fetch import Expected, Progress, download
from model_zoo.formats.bounded import BoundedFile

Say = Callable[[str], None]


def fetch(name: str, root: Path, *, say: Say = print, progress: Progress | None = None) -> Path:
    """Download set `name` into its folder under `root`, verify, unpack, and return the folder.

    An interrupted download continues; an archive that is unpacked already is not fetched again. Raises `DataError` if
    the set may not be downloaded, an archive does not verify, or one would write outside its folder.
    """
    if name not in SETS:
        raise UsageError.unknown("dataset", name, SETS)
    info = SETS[SETS[name].folder]
    if not info.archives:
        raise DataError(
            f"{info.name}: not for download from here ({info.licence}); get it from {info.address}"
            + (f" and place it as {info.layout}" if info.layout else "")
        )
    folder = root / info.name
    for archive in info.archives:
        _fetch_one(archive, folder, say, progress)
    return folder


def _fetch_one(archive: Archive, folder: Path, say: Say, progress: Progress | None) -> None:
    done = folder / f".{archive.name}.unpacked"
    if done.is_file():
        say(f"{archive.name}: unpacked already")
        return
    target = folder / archive.name
    say(f"{archive.name}: from {archive.url}")
    try:
        sha256 = download(archive.url, target, Expected(archive.size, archive.sha256), progress)
    except WeightsError as error:
        raise DataError(str(error)) from None
    _check_md5(target, archive)
    verified = "verified" if archive.sha256 or archive.md5 else "no published hash to compare with"
    say(f"{archive.name}: SHA-256 {sha256}, {verified}; unpacking")
    unpack(target, folder)
    done.write_text(f"{sha256}\n")
    for leftover in (target, target.with_name(f"{target.name}.lock")):
        leftover.unlink(missing_ok=True)


def _check_md5(target: Path, archive: Archive) -> None:
    if not archive.md5:
        return
    with target.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        target.unlink()
        raise DataError(f"{archive.url}: expected MD5 {archive.md5}, found {found}; it was removed, fetch it again")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip into `folder`, whole or not at all.

    Raises `DataError` for one that ends early or holds a path, link or device outside its folder.
    """
    hidden = folder / f".{archive.name}.unpacking"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    try:
        (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, hidden)
        _move_into(hidden, folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(f"{folder}: the disk is full; nothing was unpacked: make room, then fetch again") from None
        raise DataError(f"{archive}: cannot be unpacked ({error}); nothing was unpacked") from None
    except Exception as error:  # of damaged archives, tarfile, zipfile and zlib raise anything
        raise DataError(
            f"{archive}: damaged, ends early or leaves its folder ({error}); nothing was unpacked"
        ) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _untar(archive: Path, folder: Path) -> None:
    """Extract only files and folders, without the `tarfile` filter: no set has links, and Python before 3.11.4 has
    no filter."""
    with BoundedFile(archive) as file, tarfile.open(fileobj=file) as tar:
        for member in tar:
            target = (folder / member.name).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise tarfile.TarError(f"{member.name!r} leaves its folder")
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isfile() and (content := tar.extractfile(member)) is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                with content, target.open("wb") as out:
                    shutil.copyfileobj(content, out)
            else:
                raise tarfile.TarError(f"{member.name!r} is neither a file nor a folder")


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise zipfile.BadZipFile(f"{name!r} leaves its folder")
        file.extractall(folder)


def _move_into(source: Path, folder: Path) -> None:
    """Move the content of `source` to `folder`; a single folder with the name of `folder` is unwrapped."""
    inner = list(source.iterdir())
    if len(inner) == 1 and inner[0].is_dir() and inner[0].name == folder.name:
        inner = list(inner[0].iterdir())
    for path in inner:
        target = folder / path.name
        if target.is_dir() and path.is_dir():
            _move_into(path, target)
        else:
            path.replace(target)
