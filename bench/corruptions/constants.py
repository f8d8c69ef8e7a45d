"""Published strengths of the 19 corruptions at severities 1..5, for images of 224, 64 and 32 pixels.

Source: hendrycks/robustness, ImageNet-C/create_c/make_imagenet_c.py, make_tinyimagenet_c.py and make_cifar_c.py
(Hendrycks & Dietterich, arXiv 1903.12261). Intensities are in units of the full range, lengths in pixels unless said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.errors import UsageError


class Disk(NamedTuple):
    """Defocus: radius of the disk, and sigma of the Gaussian that softens its edge."""

    radius: float
    softness: float


class Glass(NamedTuple):
    """Glass: sigma of the blur before and after, largest displacement, number of rounds."""

    sigma: float
    reach: int
    rounds: int


class LineBlur(NamedTuple):
    """Motion: radius and sigma of the half-Gaussian kernel, which has 2 * radius + 1 taps."""

    radius: int
    sigma: float


class Zoom(NamedTuple):
    """Zoom: factors from 1 in steps of `step`, below `stop`."""

    stop: float
    step: float


class Snow(NamedTuple):
    """Snow: noise with `mean` and `std`, magnified, cut at `threshold` and motion-blurred, over a whitened image."""

    mean: float
    std: float
    zoom: float
    threshold: float
    radius: int
    sigma: float
    opacity: float


class Frost(NamedTuple):
    """Frost: weights of the image and of the texture."""

    image: float
    texture: float


class Fog(NamedTuple):
    """Fog: amount added, and the factor by which detail decays per octave."""

    amount: float
    decay: float


class Elastic(NamedTuple):
    """Elastic: displacement before smoothing, sigma of smoothing, affine jitter of 3 points; as shares of height."""

    displacement: float
    sigma: float
    affine: float


class Spatter(NamedTuple):
    """Spatter: noise with `mean` and `std`, smoothed, cut at `threshold`; strength of water, or sigma of mud's rim."""

    mean: float
    std: float
    sigma: float
    threshold: float
    strength: float
    mud: bool


class Saturation(NamedTuple):
    """Saturate: the HSV saturation s becomes scale * s + shift."""

    scale: float
    shift: float


@dataclass(frozen=True)
class Family:
    """Constants for one image size: corruption -> its strengths at severities 1..5.

    frost_scale: factor by which textures are resized, bilinear; None: to 1.1 times the covering size, bicubic
    frost_textures: number of the six textures in use
    blocky: whether pixelated images are enlarged by area instead of by nearest pixel
    """

    name: str
    strengths: Mapping[str, tuple[Any, ...]]
    frost_scale: float | None
    frost_textures: int
    blocky: bool


IMAGENET = Family(
    "imagenet-c",
    {
        "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
        "shot_noise": (60, 25, 12, 5, 3),
        "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),
        "defocus_blur": (Disk(3, 0.1), Disk(4, 0.5), Disk(6, 0.5), Disk(8, 0.5), Disk(10, 0.5)),
        "glass_blur": (Glass(0.7, 1, 2), Glass(0.9, 2, 1), Glass(1, 2, 3), Glass(1.1, 3, 2), Glass(1.5, 4, 2)),
        "motion_blur": (LineBlur(10, 3), LineBlur(15, 5), LineBlur(15, 8), LineBlur(15, 12), LineBlur(20, 15)),
        "zoom_blur": (Zoom(1.11, 0.01), Zoom(1.16, 0.01), Zoom(1.21, 0.02), Zoom(1.26, 0.02), Zoom(1.31, 0.03)),
        "snow": (
            Snow(0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            Snow(0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            Snow(0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            Snow(0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            Snow(0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        "frost": (Frost(1, 0.4), Frost(0.8, 0.6), Frost(0.7, 0.7), Frost(0.65, 0.7), Frost(0.6, 0.75)),
        "fog": (Fog(1.5, 2), Fog(2, 2), Fog(2.5, 1.7), Fog(2.5, 1.5), Fog(3, 1.4)),
        "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
        "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
        # displacement: 250 * a times noise of +-0.005, as shares of the height
        "elastic_transform": tuple(Elastic(250 * a * 0.005, 0.01, 0) for a in (0.05, 0.065, 0.085, 0.1, 0.12)),
        "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
        "jpeg_compression": (25, 18, 15, 10, 7),
        "speckle_noise": (0.15, 0.2, 0.35, 0.45, 0.6),
        "gaussian_blur": (1, 2, 3, 4, 6),
        "spatter": (
            Spatter(0.65, 0.3, 4, 0.69, 0.6, False),
            Spatter(0.65, 0.3, 3, 0.68, 0.6, False),
            Spatter(0.65, 0.3, 2, 0.68, 0.5, False),
            Spatter(0.65, 0.3, 1, 0.65, 1.5, True),
            Spatter(0.67, 0.4, 1, 0.65, 1.5, True),
        ),
        "saturate": (Saturation(0.3, 0), Saturation(0.1, 0), Saturation(2, 0), Saturation(5, 0.1), Saturation(20, 0.2)),
    },
    frost_scale=None,
    frost_textures=6,
    blocky=False,
)

TINY = Family(
    "tiny-imagenet-c",
    {
        "gaussian_noise": (0.04, 0.08, 0.12, 0.15, 0.18),
        "shot_noise": (250, 100, 50, 30, 15),
        "impulse_noise": (0.01, 0.02, 0.05, 0.08, 0.14),
        "defocus_blur": (Disk(0.5, 0.6), Disk(1, 0.1), Disk(1.5, 0.1), Disk(2.5, 0.01), Disk(3, 0.1)),
        "glass_blur": (Glass(0.1, 1, 1), Glass(0.5, 1, 1), Glass(0.6, 1, 2), Glass(0.7, 2, 1), Glass(0.9, 2, 2)),
        "motion_blur": (LineBlur(10, 1), LineBlur(10, 1.5), LineBlur(10, 2), LineBlur(10, 2.5), LineBlur(12, 3)),
        "zoom_blur": (Zoom(1.06, 0.01), Zoom(1.11, 0.01), Zoom(1.16, 0.01), Zoom(1.21, 0.01), Zoom(1.26, 0.01)),
        "snow": (
            Snow(0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            Snow(0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            Snow(0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            Snow(0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            Snow(0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
        "frost": (Frost(1, 0.3), Frost(0.9, 0.4), Frost(0.8, 0.45), Frost(0.75, 0.5), Frost(0.7, 0.55)),
        "fog": (Fog(0.4, 3), Fog(0.7, 3), Fog(1, 2.5), Fog(1.5, 2), Fog(2, 1.75)),
        "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
        "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
        "elastic_transform": (
            Elastic(0, 0, 0.08),
            Elastic(0.05, 0.3, 0.06),
            Elastic(0.1, 0.08, 0.06),
            Elastic(0.1, 0.03, 0.03),
            Elastic(0.16, 0.03, 0.02),
        ),
        "pixelate": (0.9, 0.8, 0.7, 0.6, 0.5),
        "jpeg_compression": (65, 58, 50, 40, 25),
        "speckle_noise": (0.15, 0.2, 0.25, 0.3, 0.35),
        "gaussian_blur": (0.5, 0.75, 1, 1.25, 1.5),
        "spatter": (
            Spatter(0.62, 0.1, 0.7, 0.7, 0.6, False),
            Spatter(0.65, 0.1, 0.8, 0.7, 0.6, False),
            Spatter(0.65, 0.3, 1, 0.69, 0.6, False),
            Spatter(0.65, 0.1, 0.7, 0.68, 0.6, True),
            Spatter(0.65, 0.1, 0.5, 0.67, 0.6, True),
        ),
        "saturate": (Saturation(0.3, 0), Saturation(0.1, 0), Saturation(2, 0), Saturation(5, 0.1), Saturation(30, 0.2)),
    },
    frost_scale=0.3,
    frost_textures=5,
    blocky=True,
)

CIFAR = Family(
    "cifar-10-c",
    {
        "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
        "shot_noise": (500, 250, 100, 75, 50),
        "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),
        "defocus_blur": (Disk(0.3, 0.4), Disk(0.4, 0.5), Disk(0.5, 0.6), Disk(1, 0.2), Disk(1.5, 0.1)),
        "glass_blur": (Glass(0.05, 1, 1), Glass(0.25, 1, 1), Glass(0.4, 1, 1), Glass(0.25, 1, 2), Glass(0.4, 1, 2)),
        "motion_blur": (LineBlur(6, 1), LineBlur(6, 1.5), LineBlur(6, 2), LineBlur(8, 2), LineBlur(9, 2.5)),
        "zoom_blur": (Zoom(1.06, 0.01), Zoom(1.11, 0.01), Zoom(1.16, 0.01), Zoom(1.21, 0.01), Zoom(1.26, 0.01)),
        "snow": (
            Snow(0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            Snow(0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            Snow(0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            Snow(0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            Snow(0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        "frost": (Frost(1, 0.2), Frost(1, 0.3), Frost(0.9, 0.4), Frost(0.85, 0.4), Frost(0.75, 0.45)),
        "fog": (Fog(0.2, 3), Fog(0.5, 3), Fog(0.75, 2.5), Fog(1, 2), Fog(1.5, 1.75)),
        "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
        "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
        "elastic_transform": (
            Elastic(0, 0, 0.08),
            Elastic(0.05, 0.2, 0.07),
            Elastic(0.08, 0.06, 0.06),
            Elastic(0.1, 0.04, 0.05),
            Elastic(0.1, 0.03, 0.03),
        ),
        "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),
        "jpeg_compression": (80, 65, 58, 50, 40),
        "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),
        "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),
        "spatter": (
            Spatter(0.62, 0.1, 0.7, 0.7, 0.5, False),
            Spatter(0.65, 0.1, 0.8, 0.7, 0.5, False),
            Spatter(0.65, 0.3, 1, 0.69, 0.5, False),
            Spatter(0.65, 0.1, 0.7, 0.69, 0.6, True),
            Spatter(0.65, 0.1, 0.5, 0.68, 0.6, True),
        ),
        "saturate": (
            Saturation(0.3, 0),
            Saturation(0.1, 0),
            Saturation(1.5, 0),
            Saturation(2, 0.1),
            Saturation(2.5, 0.2),
        ),
    },
    frost_scale=0.2,
    frost_textures=5,
    blocky=True,
)


def family(height: int, width: int) -> Family:
    """Return the constants for an image size, by its shorter side in pixels: 32..47 CIFAR-10-C, 48..95 Tiny-ImageNet-C,
    larger ImageNet-C.

    Raises `UsageError` below 32 pixels, for which no constants were published.
    """
    side = min(height, width)
    if side < 32:
        raise UsageError(f"corruptions need images of at least 32 px, found {height}x{width}; enlarge them first")
    return CIFAR if side < 48 else TINY if side < 96 else IMAGENET
