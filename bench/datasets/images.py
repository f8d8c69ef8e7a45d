"""Decode files as RGB images; other files raise an error with the reason."""

import io
import os
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError, features

from bench.datasets.content import PassingError, UnreadableError
from bench.pixels import to_rgb

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "TIFF", "AVIF")
"""Formats that are decoded, whatever a file's name is. Pillow knows more: for an EPS it would start Ghostscript."""

EXTENSIONS = frozenset({".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".avif"})

MOST_PIXELS = "BENCH_MAX_PIXELS"
"""Environment variable: number of pixels of the largest image that is decoded; default Pillow's 178,956,970."""


def read_image(source: Path | io.BytesIO, name: str = "") -> Image.Image:
    """The image in a file, or in the bytes of one called `name`, as 8-bit RGB.

    Grey, palette and CMYK images are converted; 16-bit ones are scaled to 8, 32-bit grey is refused; of an animation
    the first frame counts; transparency is dropped; EXIF rotation is not applied, as in torchvision and the original
    evaluations. As there, an image of more than 178,956,970 pixels is refused; BENCH_MAX_PIXELS sets another limit.
    Raises `UnreadableError` for anything truncated, empty or not an image.
    """
    name = name or getattr(source, "name", "")
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd EXIF data, which is not used, and from half of the largest size on, which is read
            warnings.simplefilter("ignore")
            if most := os.environ.get(MOST_PIXELS):
                Image.MAX_IMAGE_PIXELS = max(1, int(most) // 2)
            with Image.open(source, formats=FORMATS) as image:
                return to_rgb(image)
    except Image.DecompressionBombError as error:
        raise UnreadableError(f"{name}: {error}; {MOST_PIXELS} sets the largest size that is decoded") from None
    except UnidentifiedImageError:
        if str(name).lower().endswith(".avif") and not features.check("avif"):
            raise UnreadableError(f"{name}: AVIF needs Pillow 11.3 or newer") from None
        raise UnreadableError(f"{'empty file' if _empty(source) else 'not an image'}: {name}") from None
    except MemoryError:
        raise
    except Exception as error:  # of damaged files, Pillow's decoders raise anything from OSError to IndexError
        passing = isinstance(error, OSError) and error.errno is not None  # of a damaged file Pillow gives no number
        raise (PassingError if passing else UnreadableError)(f"{name}: {error}") from None


def _empty(source: Path | io.BytesIO) -> bool:
    return (source.stat().st_size if isinstance(source, Path) else len(source.getvalue())) == 0
