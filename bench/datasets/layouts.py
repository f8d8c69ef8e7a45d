"""A data set in whichever form it lies on the disk: folders, tar shards, or Parquet as on Hugging Face."""

from pathlib import Path

from bench.datasets.archives import LAYOUTS, SOURCE_OF
from bench.datasets.base import Dataset
from bench.datasets.folder import read_folder
from bench.errors import DataError

LIVE = "corrupt clean images on the fly: --suite imagenet-c-live"
"""What one does without the files of ImageNet-C."""


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


def own_folder(name: str, folder: Path) -> Path:
    """`folder`, given as a data root that holds no `name`/, as the folder of set `name` itself.

    Raises `DataError` where it is another set's by its name or files, or a root that lacks this one: ImageNet's
    pictures read as sketches would be a wrong number under a right name.
    """
    if name == "folder":
        return folder
    held = [known for known in LAYOUTS if known != "folder" and (folder / known).is_dir()]
    if held:
        raise DataError(f"{name}: no {name}/ under {folder}, which holds {', '.join(held)}; {_place(name)}")
    named = SOURCE_OF.get(folder.name, folder.name)
    if named in LAYOUTS and named not in (name, "folder"):
        raise DataError(f"{name}: {folder} is the folder of {named} by its name; {_place(name)}")
    if name == "imagenet-sketch" and folder.name != name and not any(folder.rglob("sketch_*")):
        raise DataError(f"{name}: no sketch_*.JPEG under {folder}; {_place(name)}")
    return folder


def _place(name: str) -> str:
    place = f"place it as {LAYOUTS.get(name, name)} under your data root, or name it: --data {name}=DIR"
    return f"{place}; or {LIVE}" if name == "imagenet-c" else place
