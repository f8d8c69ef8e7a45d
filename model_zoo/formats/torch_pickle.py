"""PyTorch's files, read with `weights_only=True`: tensors and plain containers, never code."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from model_zoo.errors import WeightsError
from model_zoo.formats.bounded import BoundedFile
from model_zoo.formats.bystanders import allowed


def read(path: Path) -> Any:
    """Read the file's content: mappings, sequences, numbers, tensors, and placeholders of objects listed in
    `bystanders`. Raises `WeightsError`, saying what to do, for a file that needs its code to be run."""
    try:
        with BoundedFile(path) as file, torch.serialization.safe_globals(list(allowed())):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise any exception in the unpickler
        raise WeightsError(_explained(path, str(error) or type(error).__name__)) from None


_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ASKED_FOR = re.compile(r"Unsupported global: GLOBAL (\S+)|unsupported GLOBAL (\S+) whose module")


def _explained(path: Path, reason: str) -> str:
    """Return torch's reason as one line; for a refused object, with two lines of code that save only the weights."""
    plain = _ESCAPES.sub("", reason)
    match = _ASKED_FOR.search(plain)
    name = (match[1] or match[2]) if match else ""
    if _holds_a_module(path):
        what = f"a whole pickled module{f' ({name})' if name else ''}, not a state dict"
        lines = _two_lines(path, ".state_dict()", "")
    elif name:
        what = f"an object beside the tensors ({name}), so not a PyTorch file of plain tensors"
        lines = _two_lines(path, "['state_dict']", "  # or the key under which the weights lie")
    else:
        return f"{path}: not a PyTorch file of plain tensors: {plain.splitlines()[0]}"
    return f"{path}: {what}; reading it would run its code. Where you trust it and have that code:\n{lines}"


def _two_lines(path: Path, wanted: str, remark: str) -> str:
    return (
        f'    content = torch.load("{path.name}", map_location="cpu", weights_only=False)\n'
        f'    torch.save(content{wanted}, "{path.stem}-state.pth"){remark}'
    )


_MODULE = re.compile(rb"torch\.nn\.modules\.(?!loss\b)\w+")


def _holds_a_module(path: Path) -> bool:
    """Return whether the pickle refers to a layer of torch in the first megabyte of its instructions."""
    return any(_MODULE.search(head) for head in _instructions(path))


def _instructions(path: Path) -> Sequence[bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith("data.pkl")]
            return [archive.open(m).read(1 << 20) for m in members]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        with path.open("rb") as file:
            return [file.read(1 << 20)]
