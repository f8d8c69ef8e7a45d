"""A data set in any layout on disk: folders, tar shards, or Parquet as on Hugging Face."""

from pathlib import Path

from bench.datasets.base import Dataset, FixedSize, UnreadableError
from bench.datasets.folder import ClassFolders, read_folder
from bench.datasets.listing import LeftOut, Listing
from bench.datasets.shards import missing_shards, of_validation
from bench.errors import DataError

LIVE = "corrupt clean images during the run: --suite imagenet-c-live"
"""Advice without the files of ImageNet-C."""

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".tar.zst", ".rar", ".7z")
"""Archives that cannot be read in place."""


def read_set(root: Path, name: str, labels: str, *, as_stored: bool = False, under: str = "") -> Dataset:
    """Open the ImageNet-labelled set in `root`, without unpacking. `under`: only this path inside tar shards.
    Folders take precedence over shards beside them. Raises `DataError` with what was expected and found."""
    if not root.is_dir():
        raise DataError(f"{name}: no folder {root}; name the set's folder with --data DIR, or see `bench data list`")
    look = Listing.at(root)
    if not look.pictures and not ClassFolders.of(look.folders).labels:
        from bench.datasets.parquet import read_parquet  # pyarrow takes a while: `bench list` answers without it
        from bench.datasets.tar import read_tars

        if parquet := look.files(".parquet"):
            return read_parquet(parquet, name, labels, as_stored=as_stored)
        if tars := look.files(".tar"):
            left = LeftOut()
            chosen = of_validation(tars, left)
            dataset = read_tars(chosen, name, labels, as_stored=as_stored, under=under)
            dataset.notes = (*dataset.notes, *left.lines(), *filter(None, [missing_shards(chosen)]))
            return dataset
        if packed := look.files(*COMPRESSED):
            raise DataError(f"{name}: {packed[0]} is compressed and cannot be read in place: unpack it first")
    return read_folder(root, name, labels, as_stored=as_stored)


def same_size(dataset: Dataset, side: int, root: Path) -> Dataset:
    """Return `dataset` with each image's size checked when it is read, and that of the first at once."""
    try:
        width, height = dataset.read(0).size
    except UnreadableError:
        return FixedSize(dataset, side)
    if (width, height) != (side, side):
        raise DataError(
            f"{dataset.name}: {dataset.ids[0]} under {root} has {width}x{height} pixels, expected {side}x{side}; "
            "use the original files, unchanged (other sizes were made for other networks and give other numbers)"
        )
    return FixedSize(dataset, side)
