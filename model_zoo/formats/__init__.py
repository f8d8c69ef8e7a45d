"""Readers of weight files, one module per format. They return named arrays and execute nothing from the file."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def read_file(path: Path) -> "dict[str, Tensor]":
    """Read named arrays from the file at `path`, or from `FILE:KEY`: its largest set, averages last.

    Raises `WeightsError` for anything but complete weights.
    """
    from model_zoo.formats.checkpoint import read_checkpoint, refuse_odd  # imports torch: only where weights are read

    found = read_checkpoint(path)
    refuse_odd(found.path, found.largest())
    return found.largest()
