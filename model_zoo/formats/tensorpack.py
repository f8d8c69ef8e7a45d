"""tensorpack's dump of a TensorFlow graph: one npz of arrays by variable name, with or without ':0'."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model_zoo.errors import WeightsError
from model_zoo.formats.training_state import is_training_state


def read(path: Path) -> dict[str, Tensor]:
    """All weights of the npz by variable name. Arrays of Python objects, which would be unpickled, are refused."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = {key.removesuffix(":0"): key for key in archive.files}
            return {name: _tensor(archive[key]) for name, key in names.items() if not is_training_state(name)}
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, KeyError, TypeError, SyntaxError) as error:
        raise WeightsError(f"{path}: not a readable npz of plain arrays: {error}") from None


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))
