"""Any folder of images, and a small sample of photographs."""

from bench.datasets.folder import read_class_folders
from bench.datasets.info import SetInfo
from bench.datasets.sample import read_sample

SETS = (
    SetInfo(
        "folder",
        "any folder with one folder a class",
        150,
        "its own",
        0,
        "the user's",
        "",
        lambda place, _part: read_class_folders(place.folder, "folder"),
        "one folder a class",
    ),
    SetInfo(
        "sample",
        "twenty labelled ImageNet images shipped by the package foolbox",
        160,
        "imagenet1k",
        20,
        "MIT (the package)",
        "pip install 'robust-imagenet-bench[demo]'",
        lambda _root, _part: read_sample(),
        generated=True,
    ),
)
