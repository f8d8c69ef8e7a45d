"""Parquet as on Hugging Face: an `image` column of {bytes, path}, and an integer `label`."""

import io
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from bench.datasets.base import Dataset, UnreadableError
from bench.datasets.images import read_image
from bench.errors import DataError


class ParquetDataset(Dataset):
    """Pictures in row groups, of which the last one read is kept: reading in order reads each once."""

    def __init__(self, files: Sequence[Path], name: str, labels: str, *, as_stored: bool) -> None:
        self._files = [_open(file, name) for file in files]
        self._groups = [
            (file, group) for file, opened in enumerate(self._files) for group in range(opened.num_row_groups)
        ]
        stems: list[str] = []
        targets: list[int] = []
        self._places: list[tuple[int, int]] = []
        for place, (file, group) in enumerate(self._groups):
            for row, (path, label) in enumerate(_described(self._files[file], group, f"{name}: {files[file]}")):
                stems.append(PurePosixPath(path or f"{len(stems):08d}").stem)
                targets.append(label)
                self._places.append((place, row))
        unlike = len(set(stems)) == len(stems)
        super().__init__(stems if unlike else [f"{n:08d}-{stem}" for n, stem in enumerate(stems)], targets)
        self.name, self.labels, self.as_stored = name, labels, as_stored
        self._sizes = [(file.name, file.stat().st_size) for file in files]
        self._lock = threading.Lock()
        self._held: tuple[int, list[dict[str, Any]]] = (-1, [])

    def read(self, index: int) -> Image.Image:
        place, row = self._places[index]
        try:
            content = self._group(place)[row]
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UnreadableError(f"{self.ids[index]}: damaged in its Parquet file: {error}") from None
        return read_image(io.BytesIO((content or {}).get("bytes") or b""), self.ids[index])

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
        types = {field.name: field.type for field in opened.schema_arrow}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{name}: {file}: damaged or ends early ({error}); fetch it again") from None
    image, label = types.get("image"), types.get("label")
    fields = {inner.name: inner.type for inner in image} if image is not None and pa.types.is_struct(image) else {}
    fits = label is not None and pa.types.is_integer(label) and fields.get("bytes") in (pa.binary(), pa.large_binary())
    if not fits or fields.get("path", pa.string()) != pa.string() or len(types) < len(opened.schema_arrow):
        found = ", ".join(f"{name} ({kind})" for name, kind in types.items())
        raise DataError(f"{name}: {file}: expected the columns image (bytes, path) and label, found {found}")
    return opened


def _described(file: pq.ParquetFile, group: int, where: str) -> list[tuple[str | None, int]]:
    """Path and label of each row. Raises `DataError` for rows without a label, or that cannot be read."""
    try:
        table = file.read_row_group(group, columns=["label", "image.path"])
        table.validate(full=True)
        labels, images = table.column("label").to_pylist(), _paths(table)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{where}: damaged or ends early ({error}); fetch it again") from None
    if None in labels:
        raise DataError(f"{where}: row {labels.index(None)} of group {group} has no label")
    return list(zip(images, labels, strict=True))


def _paths(table: pa.Table) -> list[str | None]:
    """Paths of the pictures; none where a file keeps none."""
    if "image" not in table.column_names:
        return [None] * table.num_rows
    return [(image or {}).get("path") for image in table.column("image").to_pylist()]
