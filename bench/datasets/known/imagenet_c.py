"""ImageNet-C: the official files of 19 corruptions at five severities."""

from pathlib import Path

from bench.datasets.base import Dataset
from bench.datasets.info import Archive, SetInfo
from bench.datasets.layouts import LIVE, read_set, same_size
from bench.errors import DataError

_ZENODO = "https://zenodo.org/records/2235448/files"

GROUPS = ("noise", "blur", "weather", "digital", "extra")
"""The archives of the release (zenodo 2235448), each of which unpacks into its own folder."""

SIDE = 224


def open_imagenet_c(root: Path, part: str) -> Dataset:
    """Official layout: CORRUPTION/SEVERITY/WNID/*.JPEG, 224 px; the release's five archives may stay apart."""
    for place in (root, *(root / group for group in GROUPS)):
        if (place / part).is_dir():
            return same_size(read_set(place / part, "imagenet-c", "imagenet1k", as_stored=True), SIDE, place)
    if any(root.glob("*.tar")):
        return same_size(read_set(root, "imagenet-c", "imagenet1k", as_stored=True, under=part), SIDE, root)
    raise DataError(
        f"imagenet-c: no {part}/ under {root} (official layout: CORRUPTION/SEVERITY/WNID/*.JPEG); "
        f"fetch the files (`bench data fetch imagenet-c`), or {LIVE}"
    )


SETS = (
    SetInfo(
        "imagenet-c",
        "ImageNet-C, the official JPEG files",
        20,
        "imagenet1k",
        50_000,
        "CC BY 4.0",
        "https://zenodo.org/records/2235448",
        open_imagenet_c,
        "imagenet-c/[blur|...|extra/]CORRUPTION/SEVERITY/WNID/*.JPEG, or the tars as they are",
        archives=(  # MD5 as Zenodo shows them
            Archive(f"{_ZENODO}/blur.tar", md5="2d8e81fdd8e07fef67b9334fa635e45c"),
            Archive(f"{_ZENODO}/digital.tar", md5="89157860d7b10d5797849337ca2e5c03"),
            Archive(f"{_ZENODO}/extra.tar", md5="d492dfba5fc162d8ec2c3cd8ee672984"),
            Archive(f"{_ZENODO}/noise.tar", md5="e80562d7f6c3f8834afb1ecf27252745"),
            Archive(f"{_ZENODO}/weather.tar", md5="33ffea4db4d93fe4a428c40a6ce0c25d"),
        ),
        heading="mCE",
        headline="mce",
        citation="Hendrycks & Dietterich 2019, arXiv 1903.12261",
    ),
)
