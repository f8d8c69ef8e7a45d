"""Twenty labelled ImageNet images that the package foolbox ships, for a first look without any download."""

from importlib.util import find_spec
from pathlib import Path

from bench.datasets.base import Item
from bench.datasets.folder import FolderDataset
from bench.errors import DataError


def read_sample() -> FolderDataset:
    """The twenty images; their labels are the last number of their file names."""
    spec = find_spec("foolbox")
    if spec is None or spec.origin is None:
        raise DataError("sample: the package foolbox is not installed; pip install 'robust-imagenet-bench[demo]'")
    files = sorted((Path(spec.origin).parent / "data").glob("imagenet_*.jpg"))
    items = [Item.at(p.stem, int(p.stem.rsplit("_", 1)[1]), p) for p in files]
    return FolderDataset("sample", "imagenet1k", items)
