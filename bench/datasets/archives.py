"""Which sets may be downloaded, and how each set is to lie on the disk."""

from dataclasses import dataclass

_ZENODO = "https://zenodo.org/records/2235448/files"
_HENDRYCKS = "https://people.eecs.berkeley.edu/~hendrycks"
_V2 = "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main"


@dataclass(frozen=True)
class Archive:
    """One file of a release. `size` in bytes (0: unknown); a hash where one was published."""

    url: str
    size: int = 0
    sha256: str = ""
    md5: str = ""

    @property
    def name(self) -> str:
        """Its file name."""
        return self.url.rsplit("/", 1)[1]


ARCHIVES: dict[str, tuple[Archive, ...]] = {
    # MD5 as Zenodo shows them
    "imagenet-c": (
        Archive(f"{_ZENODO}/blur.tar", md5="2d8e81fdd8e07fef67b9334fa635e45c"),
        Archive(f"{_ZENODO}/digital.tar", md5="89157860d7b10d5797849337ca2e5c03"),
        Archive(f"{_ZENODO}/extra.tar", md5="d492dfba5fc162d8ec2c3cd8ee672984"),
        Archive(f"{_ZENODO}/noise.tar", md5="e80562d7f6c3f8834afb1ecf27252745"),
        Archive(f"{_ZENODO}/weather.tar", md5="33ffea4db4d93fe4a428c40a6ce0c25d"),
    ),
    # size and SHA-256 of -A, -R and V2: tensorflow/datasets, checksums.tsv
    "imagenet-a": (
        Archive(
            f"{_HENDRYCKS}/imagenet-a.tar",
            687_552_512,
            "3bb3632277e6ba6392ea64c02ddbf4dd2266c9caffd6bc09c9656d28f012589e",
        ),
    ),
    "imagenet-r": (
        Archive(
            f"{_HENDRYCKS}/imagenet-r.tar",
            2_191_079_936,
            "18c6bf493b39a0d975d48e587437f562caab9c52ae6327dcfa9dd8eb54aa1b52",
        ),
    ),
    "imagenet-v2": (
        Archive(
            f"{_V2}/imagenetv2-matched-frequency.tar.gz",
            1_264_079_360,
            "f0c37fdf925916b19ea1323cd9a2208cdb6959ba2c32eef2a7fc393835c9ca7c",
        ),
        Archive(
            f"{_V2}/imagenetv2-threshold0.7.tar.gz",
            1_249_906_176,
            "32142bfe998f9cfa4141be691f6a80eeb1e27b24bd532a668eb08c26d98897a2",
        ),
        Archive(
            f"{_V2}/imagenetv2-top-images.tar.gz",
            1_245_927_936,
            "85e4ace30f3f0d660152062254b8759dda66267b27f7ec0fd8d5768f1073a04b",
        ),
    ),
    "imagenet-sketch": (
        Archive("https://huggingface.co/datasets/songweig/imagenet_sketch/resolve/main/data/ImageNet-Sketch.zip"),
    ),
    "cue-conflict": (
        Archive("https://github.com/bethgelab/model-vs-human/releases/download/v0.1/cue-conflict.tar.gz"),
    ),
}
"""Sets whose owners let them be downloaded without registration."""

_FOLDERS = "WNID/*.JPEG, or tar shards, or Parquet with image and label"

LAYOUTS = {
    "imagenet": f"imagenet/[val/]{_FOLDERS}; or the flat official folder with its devkit or LOC_val_solution.csv",
    "imagenet-c": "imagenet-c/[blur|...|extra/]CORRUPTION/SEVERITY/WNID/*.JPEG, or the tars as they are",
    "imagenet-a": f"imagenet-a/{_FOLDERS}",
    "imagenet-r": f"imagenet-r/{_FOLDERS}",
    "imagenet-v2": "imagenet-v2/imagenetv2-VARIANT-format-val/0..999/*.jpeg",
    "imagenet-sketch": f"imagenet-sketch/[sketch/]{_FOLDERS}",
    "stylized": "stylized/[val/]WNID/*, 224 px, rendered by rgeirhos/Stylized-ImageNet",
    "cue-conflict": "cue-conflict/**/SHAPEn-TEXTUREm.png",
    "folder": "one folder a class",
}
"""How a set lies under a data root; [optional], a|b: either."""

SOURCE_OF = {
    "imagenet-a-clean": "imagenet",
    "imagenet-r-clean": "imagenet",
    "robustbench-5k": "imagenet",
    "imagenet-v2-threshold0.7": "imagenet-v2",
    "imagenet-v2-top-images": "imagenet-v2",
}
"""Sets that are read from another set's folder."""
