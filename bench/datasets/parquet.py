"""Parquet as on Hugging Face: an `image` column of {bytes, path}, and a `label` that the file's metadata names."""

import io
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from bench.datasets.base import Dataset, UnreadableError, names_of
from bench.datasets.classes import match_names, wnid_in
from bench.datasets.content import FileState, Loaded, PassingError, check_unchanged, content_hash
from bench.datasets.images import read_image
from bench.datasets.labels import imagenet_index
from bench.datasets.listing import HIDDEN, LeftOut, is_hidden
from bench.datasets.proof import BY_NAMES, BY_NUMBERS, BY_WNIDS
from bench.datasets.shards import missing_shards, of_validation
from bench.errors import DataError
from bench.naming import with_labels

NO_LABEL = -1
"""Label in Hugging Face's files for images without a label, as in the test set."""


MOST_ROWS = 2_000_000
"""Maximum number of rows in one file: ImageNet's whole training set has 1.3 million, in about a hundred files."""

MOST_BYTES = 1 << 30
"""Maximum number of bytes read from one row group: about 100 MB in ImageNet's own files."""


@dataclass(frozen=True)
class ParquetRow:
    """One image: its row group and row, its path in the set, and its label by ImageNet's order."""

    place: int
    row: int
    path: PurePosixPath
    label: int
    others: tuple[int, ...] = ()


class ParquetDataset(Dataset):
    """Images in row groups, of which the last one read is kept: reading in order reads each once."""

    def __init__(self, files: Sequence[Path], name: str, labels: str, *, as_stored: bool) -> None:
        left = LeftOut()
        files = of_validation(files, left)
        self._files = [_open(file, name) for file in files]
        self._groups = [(f, group) for f, opened in enumerate(self._files) for group in range(opened.num_row_groups)]
        proofs: set[str] = set()
        self._rows = rows = self._labelled(files, name, left, proofs)
        if not rows:
            raise DataError(f"{name}: no images with a label in {', '.join(f.name for f in files[:3])}")
        _refuse_paths_alone(self._files, files, name)
        super().__init__(_ids(rows), [row.label for row in rows])
        self.name, self.labels, self.as_stored = name, labels, as_stored
        self.proof = BY_NUMBERS if BY_NUMBERS in proofs else next(iter(proofs))
        self.notes = (*left.lines(), *filter(None, [missing_shards(files)]))
        self._sizes = [(file.name, file.stat().st_size) for file in files]
        self._lock = threading.Lock()
        self._held: tuple[int, list[dict[str, Any]]] = (-1, [])
        self._files_at = list(files)
        self._states = [FileState.at(file) for file in files]

    def _labelled(self, files: Sequence[Path], name: str, left: LeftOut, proofs: set[str]) -> list[ParquetRow]:
        """Return the rows with a label; the others go to `left`, the proofs of labels to `proofs`."""
        rows: list[ParquetRow] = []
        for place, (file, group) in enumerate(self._groups):
            numbered = ClassLabels.of(self._files[file], files[file], name)
            proofs.add(numbered.proof)
            for row, (path, label) in enumerate(_described(self._files[file], group, f"{name}: {files[file]}")):
                where = PurePosixPath(path or f"{len(rows):08d}")
                if is_hidden(PurePosixPath(where.name)):
                    left.add(HIDDEN, where)
                elif label in (NO_LABEL, []):
                    left.add("images without a label", where)
                elif isinstance(label, list):
                    several = [numbered.index(each) for each in label]
                    rows.append(ParquetRow(place, row, where, several[0], tuple(several)))
                else:
                    rows.append(ParquetRow(place, row, where, numbered.index(label)))
        return rows

    @property
    def stems(self) -> list[str]:
        return [row.path.stem for row in self._rows]

    def read(self, index: int) -> Image.Image:
        return self.load(index).image

    def load(self, index: int) -> Loaded:
        row = self._rows[index]
        number = self._groups[row.place][0]
        check_unchanged(self._files_at[number], self._states[number])
        try:
            content = self._group(row.place)[row.row] or {}
        except (pa.ArrowException, OSError, ValueError) as error:
            kind = PassingError if isinstance(error, OSError) and error.errno else UnreadableError
            raise kind(f"{self.ids[index]}: damaged in its Parquet file: {error}") from None
        data = content.get("bytes")
        if data is None:
            raise UnreadableError(f"{self.ids[index]}: its Parquet row has a path and no bytes")
        return Loaded(read_image(io.BytesIO(data), self.ids[index]), content_hash(data))

    def state(self, index: int) -> FileState | None:
        return self._states[self._groups[self._rows[index].place][0]]

    def content(self) -> list[tuple[object, ...]]:
        return [*zip(self.ids, self.targets, strict=True), *self._sizes]

    def _group(self, place: int) -> list[dict[str, Any]]:
        with self._lock:
            if self._held[0] != place:
                file, group = self._groups[place]
                table = read_bounded(self._files[file], group, ["image.bytes"], f"{self.name}: {self._files_at[file]}")
                self._held = (place, table.column("image").to_pylist())
            return self._held[1]


def read_bounded(file: pq.ParquetFile, group: int, columns: list[str], where: str) -> pa.Table:
    """Some columns of a row group, a few rows at a time, so that a small file that says one long text a million times,
    or packs zeros, fills no memory. Raises `DataError` where they have more than `MOST_BYTES`."""
    about = file.metadata.row_group(group)
    chunks = [about.column(i) for i in range(about.num_columns)]
    size = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.startswith(tuple(columns)))
    most = f"{where}: more than {MOST_BYTES} bytes in row group {group}; write the set with smaller groups"
    if size > MOST_BYTES:
        raise DataError(most)
    rows = max(1, min(1000, MOST_BYTES // max(1, size)))
    found, used = list[pa.RecordBatch](), 0
    for batch in file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False):
        used += batch.nbytes
        if used > MOST_BYTES:
            raise DataError(most)
        found.append(batch)
    return pa.Table.from_batches(found) if found else file.read_row_group(group, columns=columns)


def read_parquet(files: Sequence[Path], name: str, labels: str, *, as_stored: bool = False) -> ParquetDataset:
    """The images of Parquet `files` in their order. Raises `DataError` for a damaged file or other columns."""
    return ParquetDataset(files, name, labels, as_stored=as_stored)


def _ids(rows: Sequence[ParquetRow]) -> list[str]:
    """Return the ids by file name, numbered where names are equal, with all labels of images with several."""
    names = names_of([row.path for row in rows])
    counts = Counter(names)
    ids = [f"{n:08d}-{name}" if counts[name] > 1 else name for n, name in enumerate(names)]
    return [with_labels(image_id, row.others) for image_id, row in zip(ids, rows, strict=True)]


@dataclass(frozen=True)
class ClassLabels:
    """The meaning of a file's labels: `classes` by their number or text; empty for bare numbers."""

    proof: str
    classes: Mapping[int | str, int]

    @classmethod
    def of(cls, file: pq.ParquetFile, path: Path, name: str) -> "ClassLabels":
        """Read the metadata's ClassLabel names, or the texts of the labels themselves.

        Raises `DataError` where names are not ImageNet's.
        """
        if file.schema_arrow.field("label").type == pa.string():
            groups = (read_bounded(file, g, ["label"], f"{name}: {path}") for g in range(file.num_row_groups))
            told = {t for group in groups for t in group.column("label").unique().to_pylist()}
            texts = sorted(str(t) for t in told if t is not None)
            return cls._named(dict(zip(texts, texts, strict=True)), path, name)
        names = _class_names(file.schema_arrow.metadata or {})
        return cls._named(dict(enumerate(names)), path, name) if names else cls(BY_NUMBERS, {})

    @classmethod
    def _named(cls, names: Mapping[Any, str], path: Path, name: str) -> "ClassLabels":
        found = match_names(list(names.values()))
        if unknown := [n for n, label in zip(names.values(), found, strict=True) if label is None]:
            raise DataError(
                f"{name}: {path}: {len(unknown)} of its {len(names)} classes have names that are not ImageNet's, or "
                f"not one class's alone: {', '.join(map(repr, unknown[:5]))}"
            )
        by_wnid = all(wnid_in(n) in imagenet_index() for n in names.values())
        return cls(
            BY_WNIDS if by_wnid else BY_NAMES, {k: c for k, c in zip(names, found, strict=True) if c is not None}
        )

    def index(self, label: int | str) -> int:
        """Return the class index of a label in the file."""
        return self.classes.get(label, int(label)) if self.proof == BY_NUMBERS else self.classes.get(label, -2)


def _class_names(metadata: Mapping[bytes, bytes]) -> list[str]:
    """The names of the ClassLabel feature `label` in the metadata that Hugging Face writes; empty where none are."""
    try:
        about = json.loads(metadata.get(b"huggingface", b"{}"))
        label = about["info"]["features"]["label"]
        names = label.get("names") or label.get("feature", {}).get("names", [])
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _open(file: Path, name: str) -> pq.ParquetFile:
    try:
        opened = pq.ParquetFile(file)
        types = {field.name: field.type for field in opened.schema_arrow}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{name}: {file}: damaged or ends early ({error}); fetch it again") from None
    if opened.metadata.num_rows > MOST_ROWS:
        raise DataError(f"{name}: {file}: {opened.metadata.num_rows} rows, where a file has {MOST_ROWS} at most")
    image, label = types.get("image"), types.get("label")
    fields = {inner.name: inner.type for inner in image} if image is not None and pa.types.is_struct(image) else {}
    listed = label is not None and pa.types.is_list(label) and pa.types.is_integer(label.value_type)
    labelled = label is not None and (pa.types.is_integer(label) or label == pa.string() or listed)
    fits = labelled and fields.get("bytes") in (pa.binary(), pa.large_binary(), pa.null())
    if (
        not fits
        or fields.get("path", pa.string()) not in (pa.string(), pa.null())
        or len(types) < len(opened.schema_arrow)
    ):
        found = ", ".join(f"{name} ({kind})" for name, kind in types.items())
        raise DataError(f"{name}: {file}: expected the columns image (bytes, path) and label, found {found}")
    return opened


def _refuse_paths_alone(files: Sequence[pq.ParquetFile], paths: Sequence[Path], name: str) -> None:
    """Raise `DataError` if no row has an image's bytes, by the files' own statistics."""
    rows, empty = 0, 0
    for file in files:
        for group in range(file.num_row_groups):
            chunks = [file.metadata.row_group(group).column(i) for i in range(file.metadata.num_columns)]
            chunk = next(c for c in chunks if c.path_in_schema == "image.bytes")
            rows += chunk.num_values
            counted = chunk.statistics is not None and chunk.statistics.has_null_count
            all_null = pa.types.is_null(file.schema_arrow.field("image").type.field("bytes").type)
            empty += chunk.num_values if all_null else chunk.statistics.null_count if counted else 0
    if rows and empty == rows:
        raise DataError(
            f"{name}: {paths[0]}: its {rows} rows have paths and no bytes; the images lie elsewhere: write the set "
            "with embedded images (datasets' push_to_hub does), or give the folder of the images themselves"
        )


def _described(file: pq.ParquetFile, group: int, where: str) -> list[tuple[str | None, Any]]:
    """Path and label of each row. Raises `DataError` for rows without a label, or that cannot be read."""
    try:
        table = read_bounded(file, group, ["label", "image.path"], where)
        table.validate(full=True)
        labels, images = table.column("label").to_pylist(), _paths(table)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{where}: damaged or ends early ({error}); fetch it again") from None
    if None in labels:
        raise DataError(f"{where}: row {labels.index(None)} of group {group} has no label")
    return list(zip(images, labels, strict=True))


def _paths(table: pa.Table) -> list[str | None]:
    """Return the paths of the images; empty if a file has none."""
    if "image" not in table.column_names:
        return [None] * table.num_rows
    return [(image or {}).get("path") for image in table.column("image").to_pylist()]
