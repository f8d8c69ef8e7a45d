"""Download of one file, verified to be complete, to be weights, and to have the expected hash.

The bytes are written to `NAME.part`, which an interrupted download leaves for the next attempt to continue; the file
gets its name only after its length, first bytes and SHA-256 were checked. `HTTPS_PROXY` is respected.
"""

import errno
import hashlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from model_zoo.errors import WeightsError
from model_zoo.formats.sniff import refuse_web_page
from model_zoo.locks import alone

Progress = Callable[[int, int], None]
"""Called with the bytes so far and the total (0 if the server does not give it)."""

_CHUNK = 1 << 20
_SILENCE = 30.0
"""Seconds without a byte after which a connection counts as broken."""
_ATTEMPTS = 5
_DRIVE = re.compile(r"https://drive\.google\.com/(?:uc\?.*?id=|file/d/)([\w-]+)")


class _CutError(Exception):
    """The connection ended before the file did."""


@dataclass(frozen=True)
class Expected:
    """What is known of a file in advance: size in bytes (0: unknown), and the first hex digits of its SHA-256."""

    size: int = 0
    sha256: str = ""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file at `path`, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def direct_address(url: str) -> str:
    """Return the address that serves the bytes: Google Drive's own first asks for confirmation of large files."""
    match = _DRIVE.match(url)
    if match is None:
        return url
    return f"https://drive.usercontent.google.com/download?id={match[1]}&export=download&confirm=t"


def download(url: str, target: Path, expected: Expected, progress: Progress | None = None) -> str:
    """Download `url` to `target` and return its SHA-256. Of two processes at once, the second waits. Raises
    `WeightsError` with what was received instead, and what to do by hand."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(target.with_name(target.name + ".lock"), wait=True):
        if not target.is_file():
            part = target.with_name(target.name + ".part")
            _with_retries(url, part, target, progress)
            digest = _checked(part, url, expected)
            part.replace(target)
            _validator_of(part).unlink(missing_ok=True)
            return digest
        return sha256_of(target)


def by_hand(url: str, target: Path) -> str:
    """Return instructions for a manual download."""
    return f"by hand: open {url} in a browser, put the file at {target}"


def _with_retries(url: str, part: Path, target: Path, progress: Progress | None) -> None:
    failed = 0
    while True:
        before = _size(part)
        try:
            return _transfer(url, part, progress)
        except (_CutError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            failed = 1 if _size(part) - before >= _CHUNK else failed + 1  # a connection that got on starts anew
            if failed >= _ATTEMPTS:
                reason = f"{error}; {_size(part)} bytes are kept and the next fetch goes on from there"
                raise WeightsError(f"{url}: {reason}; or {by_hand(url, target)}") from None
            time.sleep(0.1 * 2**failed)
        except urllib.error.HTTPError as error:
            error.close()
            raise WeightsError(
                f"{url}: the server answers {error.code} {error.reason}; {by_hand(url, target)}"
            ) from None
        except urllib.error.URLError as error:
            raise WeightsError(f"{url}: cannot be reached ({error.reason}); {by_hand(url, target)}") from None
        except OSError as error:
            raise _disk_error(error, part) from None


def _transfer(url: str, part: Path, progress: Progress | None) -> None:
    """Make one connection: request what is missing, write what arrives, compare the length with the announced one."""
    have = _size(part)
    request = urllib.request.Request(direct_address(url), headers=_resume_headers(part, have))
    opener = urllib.request.build_opener()  # a fresh one reads the proxies that the environment names now
    with opener.open(request, timeout=_SILENCE) as response:
        if response.status != 206:
            have = 0
        announced = int(response.headers.get("Content-Length") or 0)
        total = have + announced if announced else 0
        _refuse_small_disk(part, announced)
        _validator_of(part).write_text(response.headers.get("ETag") or response.headers.get("Last-Modified") or "")
        with part.open("ab" if have else "wb") as file:
            got = _copy(response, file, have, total, progress)
    if announced and got < total:
        raise _CutError(f"the connection ended at byte {got} of {total}")


def _copy(response: http.client.HTTPResponse, file: IO[bytes], have: int, total: int, progress: Progress | None) -> int:
    while chunk := response.read1(_CHUNK):
        if have == 0:
            refuse_web_page(chunk, response.url)
        file.write(chunk)
        have += len(chunk)
        if progress:
            progress(have, total)
    return have


def _resume_headers(part: Path, have: int) -> dict[str, str]:
    """Return the headers that continue a part only of the same version, by the server's validator."""
    validator = _validator_of(part)
    if not have or not validator.is_file() or not (stored := validator.read_text()) or stored.startswith("W/"):
        return {"User-Agent": "robust-imagenet-bench"}
    return {"User-Agent": "robust-imagenet-bench", "Range": f"bytes={have}-", "If-Range": stored}


def _validator_of(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _checked(part: Path, url: str, expected: Expected) -> str:
    """Return the digest of a complete part, or remove it and raise `WeightsError`."""
    digest, size = sha256_of(part), _size(part)
    wrong = ""
    if expected.size and size != expected.size:
        wrong = f"expected {expected.size} bytes, found {size}"
    elif not digest.startswith(expected.sha256):
        wrong = f"expected SHA-256 {expected.sha256}, found {digest}: the file changed at its source, or on its way"
    if wrong:
        part.unlink()
        _validator_of(part).unlink(missing_ok=True)
        raise WeightsError(f"{url}: {wrong}; nothing was kept")
    return digest


def _refuse_small_disk(part: Path, announced: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if announced > free:
        raise OSError(errno.ENOSPC, f"{announced} bytes are to come, {free} are free")


def _disk_error(error: OSError, part: Path) -> WeightsError:
    if error.errno == errno.ENOSPC:
        advice = "make room or set BENCH_CACHE to a larger disk, then fetch again: it goes on where it stopped"
        return WeightsError(f"{part.parent}: the disk is full ({error.strerror}); {advice}")
    return WeightsError(f"{part}: cannot be written: {error.strerror or error}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
