"""The corruptions of ImageNet-C, vectorised over a batch in torch, on CPU and GPU.

Constants depend on the image's size (`constants.family`). Random numbers are drawn outside the pixel functions, from
each image's own key (`stream.Stream`). The order is that of the official files: crop to size, corrupt, save as JPEG at
quality 85.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.corruptions.constants import family
from bench.corruptions.inputs import as_batch
from bench.corruptions.keys import Keys, image_keys
from bench.errors import UsageError

if TYPE_CHECKING:  # importing torch takes a second, which tables of names and results do not need
    from torch import Tensor

    from bench.corruptions.method import Draws, Setting

__all__ = ["EXTRA", "NAMES", "SEVERITIES", "VERSION", "Corruption", "Keys", "corrupt", "image_keys"]

VERSION = "3"
"""Version of the corruptions, part of the protocol's hash; raised whenever an output byte may change."""

NAMES = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
"""The 15 corruptions of ImageNet-C, in its order."""

EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The four extra corruptions, never part of mCE."""

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """A corruption at severity 1..5, followed by JPEG compression at `jpeg_quality` (None: without).

    `str()` gives the canonical name: `fog/3-jpeg85`, or `fog/3`. Raises `UsageError` for an unknown name, a severity
    that is not an integer in 1..5, or a quality outside 1..100.
    """

    name: str
    severity: int
    jpeg_quality: int | None = 85

    def __post_init__(self) -> None:
        if self.name not in (*NAMES, *EXTRA):
            raise UsageError.unknown("corruption", self.name, (*NAMES, *EXTRA))
        object.__setattr__(self, "severity", _whole(self.severity))
        if type(self.severity) is not int or self.severity not in SEVERITIES:
            raise UsageError(f"severity of {self.name}: expected a whole number of 1..5, found {self.severity!r}")
        object.__setattr__(self, "jpeg_quality", _whole(self.jpeg_quality))
        if self.jpeg_quality is not None and not (type(self.jpeg_quality) is int and 1 <= self.jpeg_quality <= 100):
            raise UsageError(f"JPEG quality: expected a whole number of 1..100 or None, found {self.jpeg_quality!r}")

    def __str__(self) -> str:
        return f"{self.name}/{self.severity}" + (f"-jpeg{self.jpeg_quality}" if self.jpeg_quality is not None else "")

    def __call__(self, images: NDArray[np.uint8], keys: Keys) -> NDArray[np.uint8]:
        """Corrupt uint8 images [n, h, w, 3]; `keys` is uint64 [n]. Raises `UsageError` for other shapes."""
        from bench.corruptions import methods

        _check(images, keys)
        return methods.corrupt_array(self, images, keys)

    def on(self, images: "Tensor", keys: Keys) -> "Tensor":
        """Corrupt a uint8 tensor [n, h, w, 3] as one batch, on its device."""
        from bench.corruptions import methods

        return methods.corrupt_tensor(self, images, keys)

    def apply(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """Apply the pixel function alone, with given draws and without JPEG; uint8 [n, h, w, 3] in and out."""
        from bench.corruptions import methods

        return methods.apply_draws(self, images, draws)

    def setting(self, height: int, width: int) -> "Setting[Any]":
        """Return the published constants for an image size in pixels."""
        from bench.corruptions.method import Setting

        constants = family(height, width)
        return Setting(height, width, constants, constants.strengths[self.name][self.severity - 1])


def corrupt(images: Any, name: str, severity: int, seed: int = 0, *, jpeg_quality: int | None = None) -> Any:
    """Corrupt uint8 images [n, h, w, 3], or one [h, w, 3]; random draws depend on `seed` and the position in the batch.

    Also accepts grey images ([h, w], or one channel), uint8 tensors (returns a tensor), PIL images, and lists of images
    of one size. JPEG is applied only if `jpeg_quality` is given. Raises `UsageError` for an unknown name, severity or
    shape.
    """
    corruption = Corruption(name, severity, jpeg_quality)
    batch, restore = as_batch(images)
    return restore(corruption(batch, image_keys(seed, [str(i) for i in range(len(batch))], str(corruption))))


def _whole(value: Any) -> Any:
    """Return a NumPy integer as a Python integer; anything else unchanged."""
    return int(value) if isinstance(value, np.integer) else value


def _check(images: NDArray[np.uint8], keys: Sequence[int] | Keys) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise UsageError(
            f"corruptions take uint8 [n, h, w, 3], found {images.dtype} {list(images.shape)}; "
            "convert grey and CMYK images to RGB first"
        )
    if len(keys) != len(images):
        raise UsageError(f"corruptions take one key an image: {len(images)} images, {len(keys)} keys")
