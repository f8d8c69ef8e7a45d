"""Detection of a file's format by its first bytes, not its name. A common error is a web page saved as weights."""

import zipfile
from pathlib import Path
from typing import Literal

from model_zoo.errors import WeightsError

Kind = Literal["safetensors", "torch", "tensorpack", "tf_checkpoint"]

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
_GIT_LFS = b"version https://git-lfs"
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--")
_TABLE_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
"""Last eight bytes of a LevelDB table (leveldb, doc/table_format.md), the format of a TensorFlow V2 index."""

MAX_EXPANDED = 16 << 30
MAX_RATIO = 100.0
"""Limits of an archive's expansion, in bytes and per compressed byte. The largest released network has 1.1 GB, and
float32 weights hardly compress; DEFLATE can reach 1032."""


def sniff(path: Path) -> Kind:
    """Return the format of the file at `path`. Raises `WeightsError` stating what the file is instead of weights."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
            file.seek(max(0, path.stat().st_size - 8))
            tail = file.read(8)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None
    if not head:
        raise WeightsError(f"{path}: the file is empty; fetch it again")
    if head.startswith(_ZIP):
        return _kind_of_zip(path)
    if head[8:10] == b'{"':  # before pickle, whose first byte can also begin safetensors' length
        return "safetensors"
    if head.startswith(_PICKLE):
        return "torch"
    if tail == _TABLE_MAGIC:
        return "tf_checkpoint"
    if head[8:9] == b"{":
        return "safetensors"
    raise WeightsError(f"{path}: expected weights, found {_describe(head)}")


def refuse_web_page(head: bytes, where: str) -> None:
    """Raise `WeightsError` if `head`, the first bytes of data from `where`, belongs to a web page."""
    if _is_markup(head):
        raise WeightsError(f"{where}: expected weights, found {_WEB_PAGE}")


_WEB_PAGE = (
    "a web page (Google Drive answers so when it wants a confirmation or its quota is spent); "
    "open the address in a browser and put the file where `bench weights where MODEL` says"
)


def _is_markup(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP)


def _describe(head: bytes) -> str:
    if _is_markup(head):
        return _WEB_PAGE
    text = head.lstrip()
    if text.startswith(_GIT_LFS):
        return "a Git LFS pointer; run `git lfs pull` where it came from"
    if text.startswith(b"\x1f\x8b"):
        return "a gzip archive; unpack it and name the weights inside"
    if text.startswith(b"\x89HDF"):
        return "an HDF5 file (Keras); save the weights as npz or safetensors under this network's names"
    if text.startswith((b"{", b"[")):
        return "JSON; an index of shards must keep its name, which ends in .safetensors.index.json or .bin.index.json"
    return f"unknown content beginning {head[:16]!r}"


def _kind_of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WeightsError(f"{path}: a damaged or truncated archive ({error}); fetch it again") from None
    _refuse_bomb(path, members)
    _refuse_program(path, [m.filename for m in members])
    if any(m.filename.endswith("data.pkl") for m in members):
        return "torch"
    if members and all(m.filename.endswith(".npy") for m in members):
        return "tensorpack"
    raise WeightsError(f"{path}: an archive that is neither PyTorch's nor NumPy's (holds {len(members)} members)")


def _refuse_program(path: Path, names: list[str]) -> None:
    """Refuse archives of TorchScript and torch.export, which hold code; where trusted, both can yield a state dict."""
    if any(name.endswith("/constants.pkl") for name in names):
        call = f'torch.jit.load("{path.name}", map_location="cpu").state_dict()'
        what = "a TorchScript archive"
    elif any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names):
        call = f'dict(torch.export.load("{path.name}").state_dict)'
        what = "an exported program"
    else:
        return
    line = f'torch.save({call}, "{path.stem}-state.pth")'
    raise WeightsError(f"{path}: {what}, not a state dict; reading it would run its code. Where you trust it: {line}")


def _refuse_bomb(path: Path, members: list[zipfile.ZipInfo]) -> None:
    expanded = sum(m.file_size for m in members)
    packed = sum(m.compress_size for m in members)
    if expanded > MAX_EXPANDED or expanded > MAX_RATIO * max(packed, 1):
        raise WeightsError(
            f"{path}: {packed} bytes would expand to {expanded}; weights expand to at most {MAX_RATIO:.0f} times "
            f"their size and {MAX_EXPANDED} bytes, so this archive is refused"
        )
