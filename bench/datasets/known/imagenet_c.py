"""ImageNet-C: the official files of 19 corruptions at five severities."""

from pathlib import Path

from bench.corruptions import EXTRA, NAMES, SEVERITIES
from bench.datasets.base import Dataset
from bench.datasets.info import ANY_PART, EMPTY, Archive, Opener, SetInfo, SetPlace
from bench.datasets.layouts import LIVE, read_set, same_size
from bench.datasets.listing import is_hidden
from bench.datasets.tar import index, read_tars
from bench.errors import DataError

_ZENODO = "https://zenodo.org/records/2235448/files"

SIDE = 224

IN_3D = (
    "near_focus",
    "far_focus",
    "bit_error",
    "color_quant",
    "flash",
    "fog_3d",
    "h265_abr",
    "h265_crf",
    "iso_noise",
    "low_light",
    "xy_motion_blur",
    "z_motion_blur",
)
"""The 12 corruptions of ImageNet-3DCC (RobustBench's CORRUPTIONS_3DCC)."""

BAR = (
    "blue_noise_sample",
    "brownish_noise",
    "caustic_refraction",
    "checkerboard_cutout",
    "cocentric_sine_waves",
    "inverse_sparkles",
    "perlin_noise",
    "plasma_noise",
    "single_frequency_greyscale",
    "sparkles",
)
"""The 10 corruptions of ImageNet-C-bar, as its README lists them."""


def corrupted(name: str, side: int = SIDE) -> Opener:
    """The opener of a set of corrupted files: CORRUPTION/SEVERITY/WNID/*.JPEG, shown as stored, wherever each condition
    lies: in folders, in the release's tars, or partly in both."""

    def opened(place: SetPlace, part: str) -> Dataset:
        found = [f for f in place.of_part(part) if f.layout != EMPTY]
        whole = [f for f in place.found if f.part == ANY_PART]
        if len(found) > 1 and found[0].part != ANY_PART:
            raise DataError(f"{name}: {part}/ found in several places: {', '.join(str(f.folder) for f in found[:5])}")
        for lying in found or whole:
            if lying.part != ANY_PART:
                return same_size(read_set(lying.folder, name, "imagenet1k", as_stored=True), side, lying.folder)
            tars = [tar for tar in sorted(lying.folder.glob("*.tar")) if holds(tar, part)]
            if tars:
                dataset = read_tars(tars, name, "imagenet1k", as_stored=True, under=part)
                return same_size(dataset, side, lying.folder)
        empty = "empty" if place.of_part(part) and place.of_part(part)[0].layout == EMPTY else "no"
        way_out = f"; fetch the files (`bench data fetch {name}`), or {LIVE}" if name == "imagenet-c" else ""
        raise DataError(
            f"{name}: {empty} {part}/ under {place.root} (official layout: CORRUPTION/SEVERITY/WNID/*.JPEG){way_out}"
        )

    return opened


def holds(tar: Path, part: str) -> bool:
    """Whether a tar has images of a part."""
    return any(f"/{part}/" in f"/{member.path}" and not is_hidden(member.path) for member in index(tar))


def parts_of(*corruptions: str) -> str:
    """The expression of the folders of conditions, `fog/3`."""
    return f"(?:{'|'.join(corruptions)})/[1-5]"


SETS = (
    SetInfo(
        "imagenet-c",
        "ImageNet-C, the official JPEG files",
        20,
        "imagenet1k",
        50_000,
        "CC BY 4.0",
        "https://zenodo.org/records/2235448",
        corrupted("imagenet-c"),
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
        parts=parts_of(*NAMES, *EXTRA),
        all_parts=tuple(f"{name}/{severity}" for name in NAMES for severity in SEVERITIES),
        extra_parts=tuple(f"{name}/{severity}" for name in EXTRA for severity in SEVERITIES),
    ),
    SetInfo(
        "imagenet-3dcc",
        "ImageNet-3DCC, corruptions with depth",
        22,
        "imagenet1k",
        50_000,
        "CC BY-NC 4.0",
        "https://github.com/EPFL-VILAB/3DCommonCorruptions",
        corrupted("imagenet-3dcc"),
        "imagenet-3dcc/CORRUPTION/SEVERITY/WNID/*, or the tars as they are",
        archives=tuple(Archive(f"https://datasets.epfl.ch/3dcc/imagenet_3dcc/{name}.tar.gz") for name in IN_3D),
        heading="3DCC",
        headline="mean_error",
        citation="Kar et al. 2022, arXiv 2203.01441",
        parts=parts_of(*IN_3D),
        all_parts=tuple(f"{name}/{severity}" for name in IN_3D for severity in SEVERITIES),
    ),
    SetInfo(
        "imagenet-c-bar",
        "ImageNet-C-bar, corruptions unlike ImageNet-C's",
        21,
        "imagenet1k",
        50_000,
        "MIT (the code)",
        "https://github.com/facebookresearch/augmentation-corruption",
        corrupted("imagenet-c-bar"),
        "imagenet-c-bar/CORRUPTION/SEVERITY/WNID/*",
        archives=(Archive("https://dl.fbaipublicfiles.com/inc_bar/imagenet_c_bar.tar.gz"),),
        heading="C-bar",
        headline="mean_error",
        citation="Mintun et al. 2021, arXiv 2102.11273",
        parts=parts_of(*BAR),
        all_parts=tuple(f"{name}/{severity}" for name in BAR for severity in SEVERITIES),
    ),
)
