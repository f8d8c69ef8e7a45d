"""A data set in whichever form it lies on the disk: folders, tar shards, or Parquet as on Hugging Face."""

from pathlib import Path

from bench.datasets.base import Dataset
from bench.datasets.folder import read_folder
from bench.errors import DataError


def read_set(root: Path, name: str, labels: str, *, as_stored: bool = False, under: str = "") -> Dataset:
    """The ImageNet-labelled set in `root`, nothing of which is unpacked. `under`: only this path inside tar shards.

    Folders win over shards that lie beside them. Raises `DataError` naming what was expected and found.
    """
    if not root.is_dir():
        raise DataError(f"{name}: no folder {root}; name the set's folder with --data DIR, or see `bench data list`")
    if not any(p.is_dir() for p in root.iterdir()):
        from bench.datasets.parquet import read_parquet  # pyarrow takes a while: `bench list` answers without it
        from bench.datasets.tar import read_tars

        if parquet := sorted(root.glob("*.parquet")):
            return read_parquet(parquet, name, labels, as_stored=as_stored)
        if tars := sorted(root.glob("*.tar")):
            return read_tars(tars, name, labels, as_stored=as_stored, under=under)
    return read_folder(root, name, labels, as_stored=as_stored)
