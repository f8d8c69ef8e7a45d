"""One bit per image of a cell, whether it is correct, with which pairs of models are compared.

The records of 200 models under 75 conditions of 50,000 images fill a hundred gigabytes; these bits fill 0.1.
"""

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bench.folder.reader import ResultsFolder
from bench.metrics.accuracy import right_and_scored
from bench.record import Cell


@dataclass(frozen=True)
class Answers:
    """A cell and its missing parts, with the ids of its images (shared by cells of the same images) and two bits per
    image."""

    cell: Cell
    problems: tuple[str, ...]
    ids: pd.Series
    right: NDArray[np.uint8]
    scored: NDArray[np.uint8]

    @property
    def complete(self) -> bool:
        """Whether every image of the data set has its record."""
        return not self.problems

    @property
    def records(self) -> pd.DataFrame:
        """Return records as comparisons need them: `prediction` is the label 1 for a correct image, else 0."""
        right, scored = (np.unpackbits(bits, count=len(self.ids)) for bits in (self.right, self.scored))
        label = np.ones(len(self.ids), np.uint8)
        return pd.DataFrame({"image_id": self.ids, "label": label, "prediction": right, "scored": scored.astype(bool)})


class AnswersReader:
    """The bits of a folder's cells; each cell is read once and its records are dropped."""

    def __init__(self, folder: ResultsFolder) -> None:
        self.folder = folder
        self.load = functools.cache(self._load)
        self._ids: list[tuple[pa.ChunkedArray, pd.Series]] = []

    def _load(self, cell_id: str) -> Answers:
        loaded = self.folder.load(cell_id)
        right, scored = right_and_scored(loaded.table)
        ids = self._shared(loaded.table.column("image_id"))
        return Answers(loaded.cell, loaded.problems, ids, np.packbits(right), np.packbits(scored))

    def _shared(self, ids: pa.ChunkedArray) -> pd.Series:
        """Return the ids as a series shared by cells of the same images."""
        found = next((shared for known, shared in self._ids if known.equals(ids)), None)
        if found is None:
            found = ids.to_pandas()
            self._ids.append((ids, found))
        return found
