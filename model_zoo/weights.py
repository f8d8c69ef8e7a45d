"""Location and verification of a checkpoint's weights: fetch, verify, where.

Weights are in this package, in another one, in the cache, or in a user's own file. This module does not read their
contents (`formats` does), and nothing is loaded before its SHA-256 was compared with the card's. If the authors publish
no hash, it is recorded at first use, once the tensors fit the network, and required later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from model_zoo import cache
from model_zoo.card import ModelCard, WeightFile
from model_zoo.errors import WeightsError
from model_zoo.fetch import Expected, Progress, by_hand, download, sha256_of
from model_zoo.formats.sniff import sniff
from model_zoo.registry import ROOT

Arrays = Mapping[str, Tensor]

CONVERTED = "converted.safetensors"
"""The network's own state, stored beside a TensorFlow checkpoint after it was read."""


@dataclass(frozen=True)
class FileStatus:
    """One file of a checkpoint: its path, its expected SHA-256, and its actual one once it was read."""

    file: WeightFile
    path: Path
    expected: str
    digest: str = ""

    @property
    def present(self) -> bool:
        """Whether the file exists."""
        return self.path.is_file()

    @property
    def verdict(self) -> str:
        """How the file was verified: by a published hash, by a part of one, or only by that of its first use."""
        if not self.digest:
            return "not looked at"
        if len(self.file.sha256) == len(self.digest):
            return "verified"
        if self.file.sha256:
            return f"verified by the first {len(self.file.sha256)} digits, which are published"
        if self.expected:
            return "as recorded at first use (no hash is published)"
        return "recorded (no hash is published): its tensors fit the network, and later use is held to this file"


def where(card: ModelCard) -> tuple[FileStatus, ...]:
    """Return the paths of all of the card's files. Raises `WeightsError` for a card with the user's own weights."""
    if not card.weights.files:
        raise _without_files(card)
    folder = _folder(card)
    sums = cache.recorded(folder) if _is_fetched(card) else {}
    return tuple(
        FileStatus(file, folder / (file.path or file.name), max(file.sha256, sums.get(file.name, ""), key=len))
        for file in card.weights.files
    )


def fetch(card: ModelCard, progress: Progress | None = None) -> tuple[FileStatus, ...]:
    """Download the card's files into the cache; existing files are only verified."""
    for status in where(card):
        if status.present:
            continue
        if not status.file.url:
            raise WeightsError(f"{card.name}: {status.file.name} has no address of its own; {_next_step(card, status)}")
        if not _is_fetched(card):
            raise _missing(card, status)
        download(status.file.url, status.path, Expected(status.file.size, status.expected), progress)
        _drop_what_is_no_weights(card, status)
    return verify(card)


def _drop_what_is_no_weights(card: ModelCard, status: FileStatus) -> None:
    """Remove a file whose content is wrong: a server that announces too short a length leaves such a file."""
    try:
        _check_format(card, status)
    except WeightsError:
        status.path.unlink()
        raise


def verify(card: ModelCard) -> tuple[FileStatus, ...]:
    """Check every file's size and SHA-256, as far as they are known. Records nothing: `record` does. Raises
    `WeightsError` for a file that is missing, is not weights, or has another size or hash."""
    return tuple(_verified(card, status) for status in where(card))


def _verified(card: ModelCard, status: FileStatus) -> FileStatus:
    if not status.present:
        raise _missing(card, status)
    again = f"damaged, or changed at its source; next: remove it, then: bench weights fetch {card.name}"
    size = status.path.stat().st_size
    if status.file.size and size != status.file.size:
        raise WeightsError(f"{status.path}: expected {status.file.size} bytes, found {size}: {again}")
    _check_format(card, status)
    digest = sha256_of(status.path)
    if not digest.startswith(status.expected):
        raise WeightsError(f"{status.path}: expected SHA-256 {status.expected}, found {digest}: {again}")
    return replace(status, digest=digest)


def unlike(card: ModelCard, file: Path) -> str:
    """Return why a user's file is not the card's checkpoint; empty if its hash is the card's.

    Without a published hash it is taken for the card's (`unverified` says so), but not for one that was never
    released, nor for one of another zoo (`timm:NAME`), whose own weights need no file. A network of the user's own has
    no other weights.
    """
    if card.weights.availability == "user":
        return ""
    if card.weights.availability == "not released":
        return f"{card.name}: its authors released no weights, so {file} holds somebody else's"
    known = [status.expected for status in where(card) if status.expected] if card.weights.files else []
    digest = sha256_of(file) if known and file.is_file() else ""
    if digest and any(digest.startswith(each) for each in known):
        return ""
    if known:
        found = f"SHA-256 {digest[:12]}" if digest else "several files"
        return f"{card.name}: {file} is another checkpoint: expected SHA-256 {known[0][:12]}, found {found}"
    return f"{card.name}: the weights are those of {file}, not its own" if ":" in card.name else ""


def unverified(card: ModelCard) -> bool:
    """Whether nothing tells the authors' files from others that fit the network: they published no hash of some."""
    asked = card.weights.availability in ("public", "on request")
    return asked and any(not file.sha256 for file in card.weights.files)


def record(card: ModelCard, statuses: tuple[FileStatus, ...]) -> None:
    """Record the hashes of verified files with tensors that fit the network, so that later use requires them."""
    for status in statuses:
        if _is_fetched(card) and len(status.expected) < len(status.digest):
            cache.record(_folder(card), status.file.name, status.digest)


def converted(card: ModelCard) -> Path | None:
    """Return the network's own state beside a TensorFlow checkpoint, if it exists unaltered."""
    if not card.weights.files or not _is_fetched(card):
        return None
    path = _folder(card) / CONVERTED
    recorded = cache.recorded(path.parent).get(CONVERTED)
    return path if recorded and path.is_file() and sha256_of(path) == recorded else None


def _folder(card: ModelCard) -> Path:
    match card.weights.availability:
        case "embedded":
            return ROOT / card.room / "weights"
        case "package":
            return _package_folder(card)
        case "local":
            return Path(card.place)
        case _:
            return cache.weights_dir(card.name)


def _package_folder(card: ModelCard) -> Path:
    """Return the folder of the package with the weights; the package itself is not imported."""
    package = card.weights.files[0].name.partition("/")[0]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        note = card.weights.note
        raise WeightsError(f"{card.name}: its weights are in the package {package}, which is not installed; {note}")
    return Path(spec.origin).parent.parent


def _is_fetched(card: ModelCard) -> bool:
    return card.weights.availability not in ("embedded", "package", "local")


def _check_format(card: ModelCard, status: FileStatus) -> None:
    """Compare first bytes with the card's format. A TensorFlow data file has no header; its index checks it."""
    if ".data-" in status.file.name or status.file.name.endswith(".index.json"):
        return
    found = sniff(status.path)
    if found not in (card.weights.format, "safetensors"):
        raise WeightsError(f"{status.path}: expected a file of format {card.weights.format}, found {found}")


def _missing(card: ModelCard, status: FileStatus) -> WeightsError:
    return WeightsError(f"{card.name}: its weights are missing (looked for {status.path}); {_next_step(card, status)}")


def _next_step(card: ModelCard, status: FileStatus) -> str:
    if not _is_fetched(card):
        return f"next: reinstall the package that holds it {card.weights.note}".strip()
    if not status.file.url:
        source = card.weights.note or "ask its authors"
        return f"{source}; put the file at {status.path}, then: bench weights verify {card.name}"
    manual = by_hand(status.file.url, status.path)
    return f"next: bench weights fetch {card.name}\n  ({manual}, then: bench weights verify {card.name})"


def _without_files(card: ModelCard) -> WeightsError:
    reason = {
        "not released": "its authors released no weights",
        "on request": "its weights are given on request only",
        "random": "its weights are drawn, not read",
    }.get(card.weights.availability, "it has no weights of its own")
    note = f" ({card.weights.note})" if card.weights.note else ""
    return WeightsError(f"{card.name}: {reason}{note}; next: name a file of your own with --weights FILE")
