"""Files become RGB pictures, whatever they are; those that are not pictures say so."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bench.datasets.base import UnreadableError

EXTENSIONS = frozenset({".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".tif", ".tiff"})


def read_image(path: Path) -> Image.Image:
    """The picture in `path` as 8-bit RGB.

    Grey, palette and CMYK pictures are converted; 16-bit ones are scaled to 8; of an animation the first frame counts;
    transparency is dropped; EXIF rotation is not applied, as in torchvision and the original evaluations.
    Raises `UnreadableError` for anything truncated, empty or not a picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF data, which is not used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _to_rgb(image)
    except UnidentifiedImageError:
        kind = "empty file" if path.stat().st_size == 0 else "not a picture"
        raise UnreadableError(f"{kind}: {path.name}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableError(f"{path.name}: {error}") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16- and 32-bit grey: Pillow's own conversion clips at 255
        values = np.asarray(image, dtype=np.int64)
        return Image.fromarray(np.clip(values // 257, 0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
