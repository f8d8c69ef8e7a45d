"""tensorpack's export of a TensorFlow graph: an npz of arrays by variable name, with or without ':0'."""

import io
import math
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from model_zoo.errors import WeightsError
from model_zoo.formats.bounded import BoundedFile
from model_zoo.formats.training_state import is_training_state

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_NUMBERS = "fiub"
"""NumPy's kinds of arrays that hold weights or images: floats, integers, booleans."""


def read(path: Path) -> dict[str, Tensor]:
    """Read all weights of the npz by variable name. Arrays of Python objects are refused: they would be unpickled."""
    found = {name.removesuffix(":0"): array for name, array in read_arrays(path).items()}
    try:
        return {name: torch.from_numpy(array) for name, array in found.items() if not is_training_state(name)}
    except TypeError as error:  # a dtype unknown to torch
        raise WeightsError(f"{path}: not a readable npz of plain arrays: {error}") from None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz by name, in native byte order. Raises `WeightsError` for anything but numbers.

    `numpy.load` is not used: it allocates the size given by a header before it checks that the bytes exist.
    """
    try:
        with BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
            return {m.filename.removesuffix(".npy"): _array(_content(archive, m)) for m in archive.infolist()}
    except Exception as error:  # damaged headers raise any exception in zipfile, zlib, ast, tokenize
        raise WeightsError(f"{path}: not a readable npz of plain arrays: {error}") from None


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes. Only numpy's methods (stored, deflated) are read; others allocate what a header says."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is compressed by method {member.compress_type}")
    return archive.read(member)


def _array(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"a .npy of version {version}")
    shape, fortran, dtype = _HEADERS[version](stream)
    if dtype.kind not in _NUMBERS:
        raise ValueError(f"an array of {dtype}, which are no plain numbers")
    if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"{len(content) - stream.tell()} bytes for {dtype} {shape}")
    array = np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=True)
