"""Parquet as on Hugging Face: an `image` column of {bytes, path}, and an integer `label`."""

import io
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.parquet as pq
from PIL import Image

from bench.datasets.base import Dataset
from bench.datasets.images import read_image
from bench.errors import DataError


class ParquetDataset(Dataset):
    """Pictures in row groups, of which the last one read is kept: reading in order reads each once."""

    def __init__(self, files: Sequence[Path], name: str, labels: str, *, as_stored: bool) -> None:
        self._files = [_open(file, name) for file in files]
        self._groups = [
            (file, group) for file, opened in enumerate(self._files) for group in range(opened.num_row_groups)
        ]
        ids: list[str] = []
        targets: list[int] = []
        self._places: list[tuple[int, int]] = []
        for place, (file, group) in enumerate(self._groups):
            rows = self._files[file].read_row_group(group, columns=["label", "image.path"]).to_pylist()
            for row, content in enumerate(rows):
                ids.append(PurePosixPath((content["image"] or {}).get("path") or f"{len(ids):08d}").stem)
                targets.append(content["label"])
                self._places.append((place, row))
        super().__init__(ids, targets)
        self.name, self.labels, self.as_stored = name, labels, as_stored
        self._sizes = [(file.name, file.stat().st_size) for file in files]
        self._lock = threading.Lock()
        self._held: tuple[int, list[dict[str, Any]]] = (-1, [])

    def read(self, index: int) -> Image.Image:
        place, row = self._places[index]
        return read_image(io.BytesIO(self._group(place)[row]["bytes"] or b""), self.ids[index])

    def content(self) -> list[tuple[object, ...]]:
        return [*zip(self.ids, self.targets, strict=True), *self._sizes]

    def _group(self, place: int) -> list[dict[str, Any]]:
        with self._lock:
            if self._held[0] != place:
                file, group = self._groups[place]
                column = self._files[file].read_row_group(group, columns=["image.bytes"]).column("image")
                self._held = (place, column.to_pylist())
            return self._held[1]


def read_parquet(files: Sequence[Path], name: str, labels: str, *, as_stored: bool = False) -> ParquetDataset:
    """The pictures of Parquet `files` in their order. Raises `DataError` for a damaged file or other columns."""
    return ParquetDataset(files, name, labels, as_stored=as_stored)


def _open(file: Path, name: str) -> pq.ParquetFile:
    try:
        opened = pq.ParquetFile(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: {file}: damaged or ends early ({error}); fetch it again") from None
    columns = {opened.schema.column(i).path for i in range(len(opened.schema.names))}
    if not {"image.bytes", "label"} <= columns:
        raise DataError(
            f"{name}: {file}: expected the columns image (bytes, path) and label, found {', '.join(sorted(columns))}"
        )
    return opened
