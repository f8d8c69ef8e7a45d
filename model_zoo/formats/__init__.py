"""Released files become named arrays; one module a format, none of which executes anything from the file."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def read_file(path: Path) -> "dict[str, Tensor]":
    """Named arrays of the file at `path`, or of `FILE:KEY`: the largest set that it holds, averages last.

    Raises `WeightsError` for anything that is not whole weights.
    """
    from model_zoo.formats.checkpoint import read_checkpoint, refuse_odd  # whoever reads images only has no torch yet

    found = read_checkpoint(path)
    refuse_odd(found.path, found.largest())
    return found.largest()
